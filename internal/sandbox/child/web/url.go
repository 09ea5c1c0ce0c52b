package web

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dop251/goja"
	"github.com/nlnwa/whatwg-url/url"
)

func urlGlue(g *Globals) map[string]any {
	return map[string]any{
		"parse": func(call goja.FunctionCall) goja.Value {
			var u *url.Url
			var err error
			if base := call.Argument(1); goja.IsUndefined(base) {
				u, err = url.Parse(call.Argument(0).String())
			} else {
				u, err = url.ParseRef(base.String(), call.Argument(0).String())
			}
			if err != nil {
				return goja.Null()
			}
			return g.urlObject(u)
		},
	}
}

// urlObject gives {get(part), set(part, value)} of a URL.
func (g *Globals) urlObject(u *url.Url) goja.Value {
	o := g.rt.NewObject()
	_ = o.Set("get", func(call goja.FunctionCall) goja.Value { return g.rt.ToValue(urlPart(u, call.Argument(0).String())) })
	_ = o.Set("set", func(call goja.FunctionCall) goja.Value {
		if set := urlSetters[call.Argument(0).String()]; set != nil {
			set(u, call.Argument(1).String())
		}
		return goja.Undefined()
	})
	return o
}

var urlSetters = map[string]func(*url.Url, string){
	"protocol": (*url.Url).SetProtocol, "username": (*url.Url).SetUsername, "password": (*url.Url).SetPassword, "host": (*url.Url).SetHost,
	"hostname": (*url.Url).SetHostname, "port": (*url.Url).SetPort, "pathname": (*url.Url).SetPathname, "search": (*url.Url).SetSearch, "hash": (*url.Url).SetHash,
}

func urlPart(u *url.Url, part string) string {
	switch part {
	case "href":
		return u.Href(false)
	case "origin":
		return origin(u)
	case "protocol":
		return u.Protocol()
	case "username":
		return u.Username()
	case "password":
		return u.Password()
	case "host":
		return u.Host()
	case "hostname":
		return u.Hostname()
	case "port":
		return u.Port()
	case "pathname":
		return u.Pathname()
	case "search":
		return u.Search()
	default:
		return u.Hash()
	}
}

// origin gives the origin of a URL (https://url.spec.whatwg.org/#concept-url-origin); "null" for one that is no tuple.
func origin(u *url.Url) string {
	switch u.Scheme() {
	case "http", "https", "ws", "wss", "ftp":
		return u.Protocol() + "//" + u.Host()
	case "blob":
		if inner, err := url.Parse(u.Pathname()); err == nil && (inner.Scheme() == "http" || inner.Scheme() == "https") {
			return origin(inner)
		}
	}
	return "null"
}

func paramsGlue(g *Globals) map[string]any {
	return map[string]any{
		"wellFormed": func(call goja.FunctionCall) goja.Value { return g.rt.ToValue(call.Argument(0).String()) },
		"parse": func(call goja.FunctionCall) goja.Value {
			pairs := parseForm(call.Argument(0).String())
			list := make([]any, len(pairs))
			for i, p := range pairs {
				list[i] = g.rt.NewArray(p[0], p[1])
			}
			return g.rt.NewArray(list...)
		},
		"format": func(call goja.FunctionCall) goja.Value {
			var b strings.Builder
			list := call.Argument(0).ToObject(g.rt)
			for i := range int(list.Get("length").ToInteger()) {
				pair := list.Get(strconv.Itoa(i)).ToObject(g.rt)
				if i > 0 {
					b.WriteByte('&')
				}
				encodeForm(&b, pair.Get("0").String())
				b.WriteByte('=')
				encodeForm(&b, pair.Get("1").String())
			}
			return g.rt.ToValue(b.String())
		},
	}
}

// parseForm reads application/x-www-form-urlencoded: https://url.spec.whatwg.org/#concept-urlencoded-parser. Nothing is an error.
func parseForm(query string) [][2]string {
	var pairs [][2]string
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		pairs = append(pairs, [2]string{decodeForm(name), decodeForm(value)})
	}
	return pairs
}

func decodeForm(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			out = append(out, ' ')
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			out = append(out, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			out = append(out, c)
		}
	}
	return replaceUTF8(out)
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

func encodeForm(b *strings.Builder, s string) {
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
			b.WriteByte('+')
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '*' || c == '-' || c == '.' || c == '_':
			b.WriteByte(c)
		default:
			fmt.Fprintf(b, "%%%02X", c)
		}
	}
}
