package child

import (
	"errors"
	"fmt"

	"github.com/dop251/goja"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/fault"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// result makes the end of a run from what its script returned: a Response, or a JSON value with undefined as null.
func (r *run) result(v goja.Value) (frame.Done, []byte, error) {
	parts, err := r.unwrap(nil, v)
	if err != nil {
		return frame.Done{}, nil, err
	}
	if !goja.IsNull(parts) {
		return r.response(parts)
	}
	if goja.IsUndefined(v) {
		return frame.Done{}, []byte("null"), nil
	}
	made, err := r.stringify(nil, v)
	var ex *goja.Exception
	switch {
	case isUncatchable(err):
		return frame.Done{}, nil, err
	case errors.As(err, &ex):
		e := r.scriptError(ex.Value())
		e.Reason, e.Type, e.Message = picloud.ReasonPayloadInvalid, "PayloadInvalid", fault.Unpayable(e.Message).Message
		return frame.Done{}, nil, e
	case err != nil:
		return frame.Done{}, nil, err
	case goja.IsUndefined(made):
		return frame.Done{}, nil, fault.Unpayable("it is " + kindOf(v))
	}
	text := made.String()
	if len(text) > r.head.Limits.PayloadBytes {
		return frame.Done{}, nil, fault.Payload("the result", len(text), r.head.Limits)
	}
	return frame.Done{}, []byte(text), nil
}

// response makes the end of a run from the parts of a Response, as the prelude gives them: status, pairs of header and value, body.
func (r *run) response(v goja.Value) (frame.Done, []byte, error) {
	broken := fault.Unpayable("its Response is broken")
	parts, ok := v.Export().([]any)
	if !ok || len(parts) != 3 {
		return frame.Done{}, nil, broken
	}
	status, isInt := parts[0].(int64)
	list, isList := parts[1].([]any)
	if !isInt || !isList {
		return frame.Done{}, nil, broken
	}
	done := frame.Done{Response: true, Status: int(status)}
	size := 0
	for _, item := range list {
		pair, ok := item.([]any)
		if !ok || len(pair) != 2 {
			return frame.Done{}, nil, broken
		}
		h := [2]string{fmt.Sprint(pair[0]), fmt.Sprint(pair[1])}
		size += len(h[0]) + len(h[1])
		done.Headers = append(done.Headers, h)
	}
	if len(done.Headers) > frame.MaxHeaders || size > frame.MaxHeadersBytes {
		return frame.Done{}, nil, fault.Headers(len(done.Headers), size)
	}
	var body []byte
	switch b := parts[2].(type) {
	case string:
		body = []byte(b)
	case goja.ArrayBuffer:
		body = b.Bytes()
	}
	if len(body) > r.head.Limits.PayloadBytes {
		return frame.Done{}, nil, fault.Payload("the response's body", len(body), r.head.Limits)
	}
	return done, body, nil
}
