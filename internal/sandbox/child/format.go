package child

import (
	"strconv"
	"strings"

	"github.com/dop251/goja"
)

// format makes a console line of its arguments: with %s, %d, %i, %f, %j, %o, %O, %c and %% in a first string, the rest after it with spaces between. It
// stops soon after limit bytes.
func format(s *scope, args []goja.Value, limit int) string {
	p := &inspector{scope: s, limit: limit}
	var b strings.Builder
	rest := args
	if len(args) > 1 {
		if text, ok := args[0].(goja.String); ok && strings.Contains(text.String(), "%") {
			rest = p.printf(&b, text.String(), args[1:])
			if len(rest) > 0 {
				b.WriteByte(' ')
			}
		}
	}
	for i, v := range rest {
		if i > 0 {
			b.WriteByte(' ')
		}
		if str, ok := v.(goja.String); ok {
			p.spent += str.Length()
			b.WriteString(str.String())
			continue
		}
		b.WriteString(p.value(v, 0, 0))
	}
	return b.String()
}

// printf writes text with its verbs filled in and gives the arguments that are left.
func (p *inspector) printf(b *strings.Builder, text string, args []goja.Value) []goja.Value {
	for i := 0; i < len(text); i++ {
		if text[i] != '%' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		verb := text[i+1]
		switch {
		case verb == '%':
			b.WriteByte('%')
		case !strings.ContainsRune("sdifjoOc", rune(verb)) || len(args) == 0:
			b.WriteByte('%')
			continue
		default:
			b.WriteString(p.verb(verb, args[0]))
			args = args[1:]
		}
		i++
	}
	return args
}

func (p *inspector) verb(verb byte, v goja.Value) string {
	_, isObject := v.(*goja.Object)
	_, isString := v.(goja.String)
	switch {
	case verb == 'c': // a style
		return ""
	case verb == 's' && isString:
		return v.String()
	case verb == 's' && !isObject:
		return p.value(v, 0, 0)
	case verb == 'd' || verb == 'f':
		return v.ToNumber().String()
	case verb == 'i':
		return strconv.FormatInt(v.ToInteger(), 10)
	case verb == 'j':
		made, err := p.scope.stringify(nil, v)
		if err != nil {
			return "[Circular]"
		}
		return made.String()
	default:
		return p.value(v, 0, 0)
	}
}
