package child

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dop251/goja"
)

// tooLarge is how many times its limit a text may grow before it is given up: what is smaller is told with its size.
const tooLarge = 4

// tooLargeError says that a text is larger than this many bytes, by how much nobody knows.
type tooLargeError int

func (e tooLargeError) Error() string { return fmt.Sprintf("JSON of more than %d bytes", int(e)) }

// write makes the JSON text of a value as JSON.stringify does, and gives up what grows beyond all bounds: an array may hold the same object a million times.
// nil is undefined. It runs the script's code (getters, toJSON): call it within the run's limits. Its error is what that code threw, the interrupt that ended
// it, a TypeError of the value's own, or a tooLargeError.
func (s *scope) write(v goja.Value, limit int) ([]byte, error) {
	w := writer{scope: s, most: tooLarge * limit}
	var defined bool
	var failed error
	if err := s.attempt(func() { defined, failed = w.value(place{index: -1}, v) }); err != nil {
		return nil, err
	}
	if failed != nil || !defined {
		return nil, failed
	}
	return w.text, nil
}

// What plain objects and arrays are to goja; a proxy, a Map and the like are something else.
var (
	plainObject = reflect.TypeFor[map[string]any]()
	plainArray  = reflect.TypeFor[[]any]()
)

func isPlain(o *goja.Object) bool {
	class, kind := o.ClassName(), o.ExportType()
	return class == "Object" && kind == plainObject || class == "Array" && kind == plainArray
}

// writer writes JSON.
type writer struct {
	scope *scope
	text  []byte
	most  int            // bytes of text
	open  []*goja.Object // the objects around the value that is written
}

// place is what a value lies under, for its toJSON: a property's name, or an element's index.
type place struct {
	name  string
	index int // -1 = none
}

func (p place) String() string {
	if p.index < 0 {
		return p.name
	}
	return strconv.Itoa(p.index)
}

// value writes one value; false says that it is none in JSON, as undefined is, and nothing is written.
func (w *writer) value(at place, v goja.Value) (bool, error) {
	if len(w.text) > w.most {
		return false, tooLargeError(w.most)
	}
	switch v := v.(type) {
	case nil, *goja.Symbol:
		return false, nil
	case goja.String:
		w.string(v)
		return true, nil
	case *goja.Object:
		return w.object(at, v)
	}
	if goja.IsUndefined(v) {
		return false, nil
	}
	if goja.IsNull(v) {
		w.text = append(w.text, "null"...)
		return true, nil
	}
	switch v.ExportType().Kind() { //nolint:exhaustive // what is left are numbers and BigInt
	case reflect.Bool:
		w.text = strconv.AppendBool(w.text, v.ToBoolean())
	case reflect.Int64:
		w.text = strconv.AppendInt(w.text, v.ToInteger(), 10)
	case reflect.Float64:
		if f := v.ToFloat(); math.IsNaN(f) || math.IsInf(f, 0) {
			w.text = append(w.text, "null"...)
		} else {
			w.text = append(w.text, v.String()...)
		}
	default:
		return w.other(v)
	}
	return true, nil
}

// other leaves a value to goja: what is rare, or has rules of its own.
func (w *writer) other(v goja.Value) (bool, error) {
	made, err := w.scope.stringify(nil, v)
	if err != nil || goja.IsUndefined(made) {
		return false, err //nolint:wrapcheck // the caller asks what kind of error it is
	}
	w.text = append(w.text, made.String()...)
	return true, nil
}

// object writes an object, or what its toJSON gives instead.
func (w *writer) object(at place, o *goja.Object) (bool, error) {
	if toJSON, ok := goja.AssertFunction(o.Get("toJSON")); ok {
		instead, err := toJSON(o, w.scope.ToValue(at.String()))
		if err != nil {
			return false, err //nolint:wrapcheck // the caller asks what kind of error it is
		}
		if o, ok = instead.(*goja.Object); !ok {
			return w.value(at, instead)
		}
	}
	if isPlain(o) {
		return true, w.within(o)
	}
	return w.rest(o)
}

// rest leaves an object to goja whose toJSON has been asked.
func (w *writer) rest(o *goja.Object) (bool, error) {
	holder := w.scope.NewObject()
	if err := holder.Set("toJSON", func(goja.FunctionCall) goja.Value { return o }); err != nil {
		return false, fmt.Errorf("hold object: %w", err)
	}
	return w.other(holder)
}

// within writes what an object holds, unless it is within itself.
func (w *writer) within(o *goja.Object) error {
	if slices.Contains(w.open, o) {
		panic(w.scope.NewTypeError("Converting circular structure to JSON"))
	}
	if len(w.open) == maxJSONDepth {
		panic(w.scope.NewTypeError("JSON must not nest deeper than %d levels", maxJSONDepth))
	}
	w.open = append(w.open, o)
	write := w.members
	if o.ClassName() == "Array" {
		write = w.elements
	}
	err := write(o)
	w.open = w.open[:len(w.open)-1]
	return err
}

// members writes an object's own enumerable properties.
func (w *writer) members(o *goja.Object) error {
	keys := o.Keys()
	if slices.ContainsFunc(keys, isLossy) {
		_, err := w.rest(o)
		return err
	}
	w.text = append(w.text, '{')
	first := true
	for _, k := range keys {
		before := len(w.text)
		if !first {
			w.text = append(w.text, ',')
		}
		w.quote(k)
		w.text = append(w.text, ':')
		defined, err := w.value(place{k, -1}, o.Get(k))
		if err != nil {
			return err
		}
		if defined {
			first = false
		} else {
			w.text = w.text[:before]
		}
	}
	w.text = append(w.text, '}')
	return nil
}

// elements writes an array's elements.
func (w *writer) elements(o *goja.Object) error {
	w.text = append(w.text, '[')
	for i := range int(o.Get("length").ToInteger()) {
		if i > 0 {
			w.text = append(w.text, ',')
		}
		defined, err := w.value(place{"", i}, o.Get(strconv.Itoa(i)))
		if err != nil {
			return err
		}
		if !defined {
			w.text = append(w.text, "null"...)
		}
	}
	w.text = append(w.text, ']')
	return nil
}

// isLossy reports whether s may have had half of a surrogate pair before it was a Go string.
func isLossy(s string) bool { return strings.ContainsRune(s, utf8.RuneError) }

// string writes a string. Half of a surrogate pair has no UTF-8 and is escaped.
func (w *writer) string(v goja.String) {
	s := v.String()
	if !isLossy(s) {
		w.quote(s)
		return
	}
	w.text = append(w.text, '"')
	for i := 0; i < v.Length(); i++ {
		r := rune(v.CharAt(i))
		if utf16.IsSurrogate(r) {
			if i+1 < v.Length() {
				if pair := utf16.DecodeRune(r, rune(v.CharAt(i+1))); pair != utf8.RuneError {
					w.text = utf8.AppendRune(w.text, pair)
					i++
					continue
				}
			}
			w.text = fmt.Appendf(w.text, `\u%04x`, r)
			continue
		}
		w.escaped(r)
	}
	w.text = append(w.text, '"')
}

// quote writes a string that is valid UTF-8.
func (w *writer) quote(s string) {
	w.text = append(w.text, '"')
	start := 0
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			w.text = append(w.text, s[start:i]...)
			w.escaped(rune(c))
			start = i + 1
		}
	}
	w.text = append(append(w.text, s[start:]...), '"')
}

// escapes are the escapes that JSON has a letter for.
var escapes = map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\t': `\t`, '\n': `\n`, '\f': `\f`, '\r': `\r`}

// escaped writes one character of a string.
func (w *writer) escaped(r rune) {
	if short, ok := escapes[r]; ok {
		w.text = append(w.text, short...)
	} else if r < ' ' {
		w.text = fmt.Appendf(w.text, `\u%04x`, r)
	} else {
		w.text = utf8.AppendRune(w.text, r)
	}
}
