package child

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dop251/goja"
)

// The bounds of what an inspected value shows: objects within objects, items of one, and the width at which an object is set on several lines.
const (
	maxInspectDepth = 2
	maxInspectItems = 100
	inspectWidth    = 72
	// compactLevels is how many levels of objects stand on one line.
	compactLevels = 3
)

// inspect shows one value as Node's util.inspect does.
func inspect(s *scope, v goja.Value) string {
	p := &inspector{scope: s, limit: 4 << 10}
	return p.value(v, 0, 0)
}

// inspector shows values. Unlike Node's it sets no arrays in columns.
type inspector struct {
	scope *scope
	limit int // of all that it writes, in bytes: soon after it, it stops
	spent int
	path  []*goja.Object       // the objects around the present one
	refs  map[*goja.Object]int // those that contain themselves, numbered
	// deepest is how deep the object that was shown last stood.
	deepest    int
	descriptor goja.Callable // Object.getOwnPropertyDescriptor
}

func (p *inspector) full() bool { return p.spent > p.limit }

// value shows v, which stands in an object depth levels down and indent columns in.
func (p *inspector) value(v goja.Value, depth, indent int) string {
	var text string
	switch v := v.(type) {
	case nil:
		text = "undefined"
	case goja.String:
		text = quote(v.String())
	case *goja.Symbol:
		text = symbolText(v)
	case *goja.Object:
		return p.object(v, depth, indent)
	default:
		text = v.String()
		switch n := v.Export().(type) {
		case *big.Int:
			text += "n"
		case float64:
			if n == 0 && math.Signbit(n) {
				text = "-0"
			}
		}
	}
	p.spent += len(text)
	return text
}

func symbolText(s *goja.Symbol) string { return "Symbol(" + s.String() + ")" }

// quote writes a string as a JavaScript literal, in single quotes where that needs no escapes.
func quote(s string) string {
	q := strconv.Quote(s)
	q = strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
	switch {
	case !strings.Contains(s, "'"):
		return "'" + q + "'"
	case !strings.Contains(s, `"`):
		return `"` + q + `"`
	case !strings.Contains(s, "`") && !strings.Contains(s, "${"):
		return "`" + q + "`"
	}
	return "'" + strings.ReplaceAll(q, "'", `\'`) + "'"
}

func (p *inspector) object(o *goja.Object, depth, indent int) string {
	if slices.Contains(p.path, o) {
		if p.refs == nil {
			p.refs = map[*goja.Object]int{}
		}
		if p.refs[o] == 0 {
			p.refs[o] = len(p.refs) + 1
		}
		return fmt.Sprintf("[Circular *%d]", p.refs[o])
	}
	p.path = append(p.path, o)
	text := p.kindOf(o, depth, indent)
	p.path = p.path[:len(p.path)-1]
	p.spent += 2
	if n := p.refs[o]; n > 0 {
		text = fmt.Sprintf("<ref *%d> ", n) + text
	}
	return text
}

// kindOf shows an object by what it is.
func (p *inspector) kindOf(o *goja.Object, depth, indent int) string {
	if _, ok := goja.AssertFunction(o); ok {
		return p.braces(functionText(o), "{", "}", p.members(o, nil), depth, indent)
	}
	kind, class, name := o.ExportType(), o.ClassName(), p.constructor(o)
	switch {
	case class == "Error":
		return p.braces(p.errorText(o, indent), "{", "}", p.members(o, []string{"message", "stack", "cause", "errors", "name"}), depth, indent)
	case class == "RegExp":
		return o.String()
	case class == "Date":
		t, ok := o.Export().(time.Time)
		if !ok || t.IsZero() {
			return "Invalid Date"
		}
		return t.UTC().Format("2006-01-02T15:04:05.000Z")
	case class == "String":
		return "[String: " + quote(o.String()) + "]"
	case class == "Number", class == "Boolean":
		return "[" + class + ": " + o.String() + "]"
	case kind == reflect.TypeFor[goja.ArrayBuffer]():
		return fmt.Sprintf("ArrayBuffer { byteLength: %d }", len(o.Export().(goja.ArrayBuffer).Bytes()))
	case kind == reflect.TypeFor[*goja.Promise]():
		return p.braces("Promise", "{", "}", p.promise(o.Export().(*goja.Promise)), depth, indent)
	case class == "Array":
		prefix := ""
		if name != "Array" {
			prefix = fmt.Sprintf("%s(%d)", name, o.Get("length").ToInteger())
		}
		return p.braces(prefix, "[", "]", p.items(o), depth, indent)
	case isTyped(kind):
		return p.braces(fmt.Sprintf("%s(%d)", name, o.Get("length").ToInteger()), "[", "]", p.items(o), depth, indent)
	case class == "Map", kind == reflect.TypeFor[[][2]any]():
		return p.braces(fmt.Sprintf("%s(%d)", name, o.Get("size").ToInteger()), "{", "}", p.collection(o, true), depth, indent)
	case class == "Set", kind == reflect.TypeFor[[]any]():
		return p.braces(fmt.Sprintf("%s(%d)", name, o.Get("size").ToInteger()), "{", "}", p.collection(o, false), depth, indent)
	case name == "Object":
		name = ""
	case name == "":
		name = "[Object: null prototype]"
	}
	return p.braces(name, "{", "}", p.members(o, nil), depth, indent)
}

// isTyped reports whether an object that is exported as kind is a typed array.
func isTyped(kind reflect.Type) bool {
	return kind != nil && kind.Kind() == reflect.Slice && kind.Elem().Kind() >= reflect.Int && kind.Elem().Kind() <= reflect.Float64
}

// functionText shows a function: its name, and whether it is a class.
func functionText(o *goja.Object) string {
	name := text(o.Get("name"))
	if source := o.String(); strings.HasPrefix(source, "class") {
		if name == "" {
			name = "(anonymous)"
		}
		if parent, ok := o.Prototype().Get("name").(goja.String); ok && parent.String() != "" {
			name += " extends " + parent.String()
		}
		return "[class " + name + "]"
	}
	kind := "Function"
	if c, ok := o.Get("constructor").(*goja.Object); ok {
		if n := text(c.Get("name")); strings.HasSuffix(n, "Function") {
			kind = n
		}
	}
	if name == "" {
		return "[" + kind + " (anonymous)]"
	}
	return "[" + kind + ": " + name + "]"
}

func (p *inspector) errorText(o *goja.Object, indent int) string {
	s := p.scope.stackOf(o, 0)
	if s == "" {
		s = o.String()
	}
	if !strings.Contains(s, "\n") { // it has no stack
		s = "[" + s + "]"
	}
	p.spent += len(s)
	return strings.ReplaceAll(s, "\n", "\n"+strings.Repeat(" ", indent))
}

func (p *inspector) constructor(o *goja.Object) string {
	if o.Prototype() == nil {
		return ""
	}
	for p := o; p != nil; p = p.Prototype() { // past classes without a name
		if c, ok := p.Get("constructor").(*goja.Object); ok {
			if name := text(c.Get("name")); name != "" {
				return name
			}
		}
	}
	return "Object"
}

// parts gives n members of an object, each at a depth and an indentation.
type parts struct {
	n    int
	show func(i, depth, indent int) string
}

func (p *inspector) items(o *goja.Object) parts {
	return parts{int(o.Get("length").ToInteger()), func(i, depth, indent int) string {
		v := o.Get(strconv.Itoa(i))
		if v == nil {
			return "<empty item>"
		}
		return p.value(v, depth, indent)
	}}
}

// members gives the enumerable properties of an object but some, its symbols after its names.
func (p *inspector) members(o *goja.Object, without []string) parts {
	keys := slices.DeleteFunc(o.Keys(), func(key string) bool { return slices.Contains(without, key) })
	symbols := o.Symbols()
	return parts{len(keys) + len(symbols), func(i, depth, indent int) string {
		if i >= len(keys) {
			s := symbols[i-len(keys)]
			return "[" + symbolText(s) + "]: " + p.value(o.GetSymbol(s), depth, indent)
		}
		key := keys[i]
		name := key
		if !isIdentifier(key) {
			name = quote(key)
		}
		p.spent += len(name)
		if accessor := p.accessor(o, key); accessor != "" {
			return name + ": " + accessor
		}
		return name + ": " + p.value(o.Get(key), depth, indent)
	}}
}

// accessor names a property that is computed, which is not run to be shown.
func (p *inspector) accessor(o *goja.Object, key string) string {
	if p.descriptor == nil {
		p.descriptor, _ = goja.AssertFunction(p.scope.Get("Object").ToObject(p.scope.Runtime).Get("getOwnPropertyDescriptor"))
		if p.descriptor == nil {
			return ""
		}
	}
	v, err := p.descriptor(nil, o, p.scope.ToValue(key))
	if err != nil {
		return ""
	}
	d, ok := v.(*goja.Object)
	if !ok {
		return ""
	}
	has := func(name string) bool { f := d.Get(name); return f != nil && !goja.IsUndefined(f) }
	switch {
	case has("get") && has("set"):
		return "[Getter/Setter]"
	case has("get"):
		return "[Getter]"
	case has("set"):
		return "[Setter]"
	}
	return ""
}

func (p *inspector) promise(promise *goja.Promise) parts {
	return parts{1, func(_, depth, indent int) string {
		switch promise.State() {
		case goja.PromiseStatePending:
			return "<pending>"
		case goja.PromiseStateRejected:
			return "<rejected> " + p.value(promise.Result(), depth, indent)
		default:
			return p.value(promise.Result(), depth, indent)
		}
	}}
}

func (p *inspector) collection(o *goja.Object, pairs bool) parts {
	var items []goja.Value
	p.scope.ForOf(o, func(v goja.Value) bool {
		items = append(items, v)
		return len(items) <= maxInspectItems
	})
	return parts{max(len(items), int(o.Get("size").ToInteger())), func(i, depth, indent int) string {
		pair, ok := items[i].(*goja.Object)
		if !pairs || !ok {
			return p.value(items[i], depth, indent)
		}
		return p.value(pair.Get("0"), depth, indent) + " => " + p.value(pair.Get("1"), depth, indent)
	}}
}

// braces shows members within brackets behind a prefix: on one line where they fit, else each on its own.
func (p *inspector) braces(prefix, open, end string, m parts, depth, indent int) string {
	isFunction := strings.HasPrefix(prefix, "[") && !strings.HasSuffix(prefix, "prototype]") || strings.Contains(prefix, "\n")
	if m.n == 0 {
		if isFunction {
			return prefix
		}
		return strings.TrimLeft(prefix+" ", " ") + open + end
	}
	if depth > maxInspectDepth {
		switch {
		case open == "[" && prefix == "":
			return "[Array]"
		case isFunction:
			return prefix
		case prefix == "":
			return "[Object]"
		}
		name, _, _ := strings.Cut(prefix, "(")
		return "[" + name + "]"
	}
	p.deepest = depth
	var shown []string
	for i := range m.n {
		if i == maxInspectItems || p.full() {
			what := "item"
			if m.n-i > 1 {
				what += "s"
			}
			shown = append(shown, fmt.Sprintf("... %d more %s", m.n-i, what))
			break
		}
		shown = append(shown, m.show(i, depth+1, indent+2))
	}
	if prefix != "" {
		open = prefix + " " + open
	}
	width := len(shown) + indent + len(open)
	for _, s := range shown {
		width += len(s) + 1
	}
	joined := strings.Join(shown, ", ")
	if p.deepest-depth < compactLevels && width <= inspectWidth && !strings.Contains(open+joined, "\n") {
		return open + " " + joined + " " + end
	}
	pad := "\n" + strings.Repeat(" ", indent)
	return open + pad + "  " + strings.Join(shown, ","+pad+"  ") + pad + end
}

func isIdentifier(s string) bool {
	for i, r := range s {
		letter := r == '_' || r == '$' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
