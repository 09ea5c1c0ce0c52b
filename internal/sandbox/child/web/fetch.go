package web

import (
	"strconv"

	"github.com/dop251/goja"
)

// Content is the body of a Request or Response: nil for none.
type Content []byte

// Request is what a Request object says.
type Request struct {
	Method, URL, Redirect string
	Headers               [][2]string
	Body                  Content
	Signal                goja.Value // an AbortSignal; nil for none
}

// NewRequest makes a Request of the arguments of fetch and gives what it says. What is wrong with them is thrown: call it within the runtime.
func (g *Globals) NewRequest(input, init goja.Value) Request {
	o, err := g.rt.New(g.use("request").Get("Request"), input, init)
	throw(err)
	parts := g.call("request", "parts", o).ToObject(g.rt)
	r := Request{Method: parts.Get("0").String(), URL: parts.Get("1").String(), Headers: g.pairs(parts.Get("2")), Body: content(parts.Get("3")), Redirect: parts.Get("4").String()}
	if signal := parts.Get("5"); !goja.IsNull(signal) && !goja.IsUndefined(signal) {
		r.Signal = signal
	}
	return r
}

// Response is what a Response object says. URL and Redirected are those of one that came from the network.
type Response struct {
	Status     int
	StatusText string
	Headers    [][2]string
	Body       Content
	URL        string
	Redirected bool
}

// MakeResponse makes a Response object of what came from the network. The body is the object's from then on. Call it within the runtime.
func (g *Globals) MakeResponse(r Response) goja.Value {
	pairs := make([]any, len(r.Headers))
	for i, h := range r.Headers {
		pairs[i] = g.rt.NewArray(h[0], h[1])
	}
	body := goja.Null()
	if r.Body != nil {
		body = g.buffer(r.Body)
	}
	return g.call("response", "wrap", g.rt.ToValue(r.Status), g.rt.ToValue(r.StatusText), g.rt.NewArray(pairs...), body, g.rt.ToValue(r.URL), g.rt.ToValue(r.Redirected))
}

// ReadResponse gives what a Response object says; ok is false for any other value. One whose body has been read throws: call it within the runtime.
func (g *Globals) ReadResponse(v goja.Value) (r Response, ok bool) {
	if _, isObject := v.(*goja.Object); !isObject || !g.Loaded("response") {
		return r, false
	}
	made := g.call("response", "unwrap", v)
	if goja.IsNull(made) {
		return r, false
	}
	parts := made.ToObject(g.rt)
	return Response{Status: int(parts.Get("0").ToInteger()), Headers: g.pairs(parts.Get("1")), Body: content(parts.Get("2"))}, true
}

// call calls an export of a module.
func (g *Globals) call(module, name string, args ...goja.Value) goja.Value {
	f, _ := goja.AssertFunction(g.use(module).Get(name))
	v, err := f(nil, args...)
	throw(err)
	return v
}

// pairs reads an array of pairs of strings.
func (g *Globals) pairs(v goja.Value) [][2]string {
	list := v.ToObject(g.rt)
	n := int(list.Get("length").ToInteger())
	made := make([][2]string, n)
	for i := range n {
		pair := list.Get(strconv.Itoa(i)).ToObject(g.rt)
		made[i] = [2]string{pair.Get("0").String(), pair.Get("1").String()}
	}
	return made
}

// content gives the bytes of the content of a body: null, a string or an ArrayBuffer.
func content(v goja.Value) Content {
	if goja.IsNull(v) || goja.IsUndefined(v) {
		return nil
	}
	if b, ok := bytes(v); ok {
		return append(Content{}, b...)
	}
	return Content(v.String())
}
