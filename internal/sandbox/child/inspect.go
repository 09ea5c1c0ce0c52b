package child

import (
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dop251/goja"
)

// The bounds of what an inspected value shows.
const (
	maxInspectDepth = 4
	maxInspectItems = 100
)

// format makes a console line of its arguments: with %s, %d, %i, %f, %j, %o, %O and %% in a first string, the rest after it with spaces between. It stops
// soon after limit bytes.
func format(s *scope, args []goja.Value, limit int) string {
	p := &inspector{scope: s, limit: limit}
	rest := args
	if len(args) > 1 {
		if text, ok := args[0].Export().(string); ok && strings.Contains(text, "%") {
			rest = p.printf(text, args[1:])
			if len(rest) > 0 {
				p.WriteByte(' ')
			}
		}
	}
	for i, v := range rest {
		if i > 0 {
			p.WriteByte(' ')
		}
		if str, ok := v.(goja.String); ok {
			p.WriteString(str.String())
			continue
		}
		p.value(v, 0)
	}
	return p.String()
}

// inspect shows one value.
func inspect(s *scope, v goja.Value) string {
	p := &inspector{scope: s, limit: 4 << 10}
	p.value(v, 0)
	return p.String()
}

// inspector writes values as Node's console does, more or less.
type inspector struct {
	strings.Builder
	scope *scope
	limit int
	path  []*goja.Object // the objects around the present one
}

func (p *inspector) full() bool { return p.Len() > p.limit }

// printf writes text with its verbs filled in and gives the arguments that are left.
func (p *inspector) printf(text string, args []goja.Value) []goja.Value {
	for i := 0; i < len(text); i++ {
		if text[i] != '%' || i+1 == len(text) {
			p.WriteByte(text[i])
			continue
		}
		verb := text[i+1]
		switch {
		case verb == '%':
			p.WriteByte('%')
		case !strings.ContainsRune("sdifjoO", rune(verb)) || len(args) == 0:
			p.WriteByte('%')
			continue
		default:
			p.verb(verb, args[0])
			args = args[1:]
		}
		i++
	}
	return args
}

func (p *inspector) verb(verb byte, v goja.Value) {
	_, isObject := v.(*goja.Object)
	switch {
	case verb == 's' && !isObject:
		p.WriteString(v.String())
	case verb == 'd' || verb == 'f':
		p.WriteString(v.ToNumber().String())
	case verb == 'i':
		p.WriteString(strconv.FormatInt(v.ToInteger(), 10))
	case verb == 'j':
		if made, err := p.scope.stringify(nil, v); err == nil {
			p.WriteString(made.String())
		}
	default:
		p.value(v, 0)
	}
}

func (p *inspector) value(v goja.Value, depth int) {
	switch v := v.(type) {
	case nil:
		p.WriteString("undefined")
	case goja.String:
		p.WriteString(quote(v.String()))
	case *goja.Symbol:
		p.WriteString("Symbol(" + v.String() + ")")
	case *goja.Object:
		p.object(v, depth)
	default:
		p.WriteString(v.String())
		if _, ok := v.Export().(*big.Int); ok {
			p.WriteByte('n')
		}
	}
}

// quote writes a string as a JavaScript literal in single quotes.
func quote(s string) string {
	q := strconv.Quote(s)
	return "'" + strings.NewReplacer(`\"`, `"`, `'`, `\'`).Replace(q[1:len(q)-1]) + "'"
}

func (p *inspector) object(o *goja.Object, depth int) {
	if slices.Contains(p.path, o) {
		p.WriteString("[Circular]")
		return
	}
	p.path = append(p.path, o)
	defer func() { p.path = p.path[:len(p.path)-1] }()

	if _, ok := goja.AssertFunction(o); ok {
		p.WriteString("[Function: " + orAnonymous(text(o.Get("name"))) + "]")
		return
	}
	kind, class := o.ExportType(), o.ClassName()
	switch {
	case kind == reflect.TypeFor[time.Time]():
		p.WriteString(o.Export().(time.Time).UTC().Format("2006-01-02T15:04:05.000Z"))
	case kind == reflect.TypeFor[goja.ArrayBuffer]():
		fmt.Fprintf(p, "ArrayBuffer { byteLength: %d }", len(o.Export().(goja.ArrayBuffer).Bytes()))
	case kind == reflect.TypeFor[*goja.Promise]():
		p.WriteString("Promise { " + [...]string{"<pending>", "<fulfilled>", "<rejected>"}[o.Export().(*goja.Promise).State()] + " }")
	case class == "Error":
		p.WriteString(p.errorText(o))
	case class == "RegExp":
		p.WriteString(o.String())
	case depth >= maxInspectDepth:
		p.WriteString("[" + p.constructor(o) + "]")
	case class == "Array":
		p.array(o, depth)
	case kind == reflect.TypeFor[[][2]any]():
		p.collection(o, "Map", depth)
	case class != "Array" && kind == reflect.TypeFor[[]any]() && p.constructor(o) == "Set":
		p.collection(o, "Set", depth)
	default:
		p.plain(o, depth)
	}
}

func (p *inspector) errorText(o *goja.Object) string {
	if s := p.scope.stackOf(o, 0); s != "" {
		return s
	}
	return o.String()
}

func (p *inspector) constructor(o *goja.Object) string {
	if c, ok := o.Get("constructor").(*goja.Object); ok {
		return text(c.Get("name"))
	}
	return "Object"
}

func (p *inspector) array(o *goja.Object, depth int) {
	n := int(o.Get("length").ToInteger())
	p.list("[", "]", n, func(i int) { p.value(o.Get(strconv.Itoa(i)), depth+1) })
}

func (p *inspector) plain(o *goja.Object, depth int) {
	open := "{"
	if name := p.constructor(o); name != "Object" && name != "" {
		open = name + " {"
	}
	keys := o.Keys()
	p.list(open, "}", len(keys), func(i int) {
		if isIdentifier(keys[i]) {
			p.WriteString(keys[i])
		} else {
			p.WriteString(quote(keys[i]))
		}
		p.WriteString(": ")
		p.value(o.Get(keys[i]), depth+1)
	})
}

func (p *inspector) collection(o *goja.Object, class string, depth int) {
	n := int(o.Get("size").ToInteger())
	var items []goja.Value
	p.scope.ForOf(o, func(v goja.Value) bool {
		items = append(items, v)
		return len(items) <= maxInspectItems
	})
	p.list(fmt.Sprintf("%s(%d) {", class, n), "}", len(items), func(i int) {
		pair, ok := items[i].(*goja.Object)
		if class == "Set" || !ok {
			p.value(items[i], depth+1)
			return
		}
		p.value(pair.Get("0"), depth+1)
		p.WriteString(" => ")
		p.value(pair.Get("1"), depth+1)
	})
}

// list writes n items within brackets, as many as fit.
func (p *inspector) list(open, end string, n int, item func(int)) {
	p.WriteString(open)
	for i := range n {
		if i > 0 {
			p.WriteByte(',')
		}
		p.WriteByte(' ')
		if i == maxInspectItems || p.full() {
			fmt.Fprintf(p, "... %d more", n-i)
			break
		}
		item(i)
	}
	if n > 0 {
		p.WriteByte(' ')
	}
	p.WriteString(end)
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

func orAnonymous(s string) string {
	if s == "" {
		return "(anonymous)"
	}
	return s
}
