package child

import (
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"strconv"

	"github.com/dop251/goja"
)

// maxValueDepth is how deep the structured values of a log line nest; what is deeper is its text.
const maxValueDepth = 6

// logValues gives the plain objects and arrays among the arguments of a console call as one JSON array; nil where there is none, or where it has more than
// limit bytes. As in the text beside it, no code of the script runs.
func logValues(s *scope, args []goja.Value, limit int) []byte {
	p := &inspector{scope: s, limit: limit}
	var out []byte
	for _, v := range args {
		o, ok := v.(*goja.Object)
		if !ok || !isPlain(o) {
			continue
		}
		out = p.json(append(out, ','), o)
		if p.full() || len(out) >= limit {
			return nil
		}
	}
	if out == nil {
		return nil
	}
	out[0] = '['
	return append(out, ']')
}

// json writes a value. What JSON cannot carry is a string of its text.
func (p *inspector) json(out []byte, v goja.Value) []byte {
	switch v := v.(type) {
	case nil:
		return append(out, "null"...)
	case goja.String:
		return p.jsonString(out, v.String())
	case *goja.Symbol:
		return p.jsonString(out, symbolText(v))
	case *goja.Object:
		return p.jsonObject(out, v)
	}
	p.spent++
	switch n := v.Export().(type) {
	case nil:
		return append(out, "null"...)
	case bool:
		return strconv.AppendBool(out, n)
	case *big.Int:
		return p.jsonString(out, n.String())
	case float64:
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return p.jsonString(out, v.String())
		}
	}
	return append(out, v.String()...)
}

func (p *inspector) jsonString(out []byte, s string) []byte {
	if len(s) > p.limit-p.spent { // it is dropped anyway
		s = ""
		p.spent = p.limit
	}
	text, _ := json.Marshal(s) //nolint:errchkjson // a string can always be marshalled
	p.spent += len(text)
	return append(out, text...)
}

func (p *inspector) jsonObject(out []byte, o *goja.Object) []byte {
	if !isPlain(o) || len(p.path) == maxValueDepth || slices.Contains(p.path, o) {
		return p.jsonString(out, p.value(o, maxInspectDepth, 0))
	}
	p.path = append(p.path, o)
	defer func() { p.path = p.path[:len(p.path)-1] }()
	p.spent += 2
	if o.ClassName() == "Array" {
		return p.jsonItems(out, o)
	}
	out = append(out, '{')
	for i, key := range o.Keys() {
		if i > 0 {
			out = append(out, ',')
		}
		if i == maxInspectItems || p.full() {
			out = append(out, `"...":"more"`...)
			break
		}
		out = append(p.jsonString(out, key), ':')
		if accessor := p.accessor(o, key); accessor != "" {
			out = p.jsonString(out, accessor)
			continue
		}
		out = p.json(out, o.Get(key))
	}
	return append(out, '}')
}

func (p *inspector) jsonItems(out []byte, o *goja.Object) []byte {
	out = append(out, '[')
	for i := range int(o.Get("length").ToInteger()) {
		if i > 0 {
			out = append(out, ',')
		}
		if i == maxInspectItems || p.full() {
			out = append(out, `"..."`...)
			break
		}
		key := strconv.Itoa(i)
		if accessor := p.accessor(o, key); accessor != "" {
			out = p.jsonString(out, accessor)
			continue
		}
		out = p.json(out, o.Get(key))
	}
	return append(out, ']')
}
