package child

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/dop251/goja"

	"github.com/picloud/picloud/internal/sandbox/child/web"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// maxFetchHead bounds the URL and the headers of a request, in bytes: what is larger fits no frame. The server's own bounds are lower.
const maxFetchHead = 64 << 10

// fetchFunction gives fetch: the global, and ctx.fetch.
func (r *run) fetchFunction() goja.Value {
	if r.fetchFunc == nil {
		o := r.ToValue(r.fetch).(*goja.Object)
		_ = o.DefineDataProperty("name", r.ToValue("fetch"), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
		r.fetchFunc = o
	}
	return r.fetchFunc
}

// fetch makes one request: what is wrong with it, and all that goes wrong on the way, rejects its promise.
func (r *run) fetch(fc goja.FunctionCall) goja.Value {
	var request web.Request
	opened := false
	promise := r.async(func() (frame.Call, []byte, answer, error) {
		if err := r.attempt(func() { request = r.globals.NewRequest(fc.Argument(0), fc.Argument(1)) }); err != nil {
			return frame.Call{}, nil, nil, err
		}
		if err := r.aborted(request.Signal); err != nil {
			return frame.Call{}, nil, nil, err
		}
		size := len(request.URL) + len(request.Method)
		for _, h := range request.Headers {
			size += len(h[0]) + len(h[1])
		}
		if size > maxFetchHead {
			return frame.Call{}, nil, nil, typeError(fmt.Sprintf("fetch: URL and headers have %d bytes", size))
		}
		if most := r.head.Limits.PayloadBytes; len(request.Body) > most {
			return frame.Call{}, nil, nil, typeError(fmt.Sprintf("fetch: the body has %d bytes, the payload limit is %d", len(request.Body), most))
		}
		opened = true
		r.fetches++
		return frame.Call{Op: frame.OpFetch, Fetch: &frame.Fetch{
			Number: r.fetches, URL: request.URL, Method: request.Method, Headers: request.Headers, HasBody: request.Body != nil, Redirect: request.Redirect,
		}}, request.Body, r.fetched, nil
	})
	if signal, ok := request.Signal.(*goja.Object); ok && opened {
		r.abortWith(signal, r.server.lastCall, r.fetches)
	}
	return promise
}

// fetched makes the Response of an answer.
func (r *run) fetched(head frame.Reply, body []byte) (goja.Value, error) {
	f := head.Fetched
	if f == nil {
		return nil, errors.New("the answer to fetch has no head")
	}
	response := web.Response{Status: f.Status, StatusText: f.StatusText, Headers: f.Headers, Body: body, URL: f.URL, Redirected: f.Redirected}
	if f.Status == http.StatusNoContent || f.Status == http.StatusResetContent || f.Status == http.StatusNotModified {
		response.Body = nil
	} else if body == nil {
		response.Body = web.Content{}
	}
	var made goja.Value
	err := r.attempt(func() { made = r.globals.MakeResponse(response) })
	var ex *goja.Exception
	if errors.As(err, &ex) {
		return nil, typeError("fetch: the answer is no response: " + ex.Value().String())
	}
	return made, err
}

// aborted gives what a signal was aborted with, as an exception; nil while it is not.
func (r *run) aborted(signal goja.Value) error {
	o, ok := signal.(*goja.Object)
	if !ok {
		return nil
	}
	return r.attempt(func() {
		if v := o.Get("aborted"); v != nil && v.ToBoolean() {
			panic(o.Get("reason"))
		}
	})
}

// abortWith gives up a request when its signal says so. A signal that cannot be listened to aborts nothing.
func (r *run) abortWith(signal *goja.Object, id uint32, number int) {
	listen, ok := goja.AssertFunction(signal.Get("addEventListener"))
	c := r.calls[id]
	if !ok || c == nil {
		return
	}
	_, err := listen(signal, r.ToValue("abort"), r.ToValue(func(goja.FunctionCall) goja.Value {
		if r.calls[id] != c {
			return goja.Undefined()
		}
		delete(r.calls, id)
		if e := r.count(frame.OpAbort); e != nil {
			r.server.watch.fail(e)
			return goja.Undefined()
		}
		r.server.lastCall++
		r.server.conn.send(frame.New(frame.KindCall, r.server.lastCall, frame.Call{Op: frame.OpAbort, Fetch: &frame.Fetch{Number: number}}, nil))
		if err := c.reject(signal.Get("reason")); err != nil {
			panic(err)
		}
		return goja.Undefined()
	}))
	if err != nil {
		panic(err)
	}
}
