package child

import (
	"errors"

	"github.com/dop251/goja"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/child/web"
	"github.com/picloud/picloud/internal/sandbox/fault"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// result makes the end of a run from what its script returned: a Response, or a JSON value with undefined as null.
func (r *run) result(v goja.Value) (frame.Done, []byte, error) {
	var response web.Response
	var is bool
	if err := r.attempt(func() { response, is = r.globals.ReadResponse(v) }); err != nil {
		return frame.Done{}, nil, err
	}
	if is {
		return r.response(response)
	}
	if goja.IsUndefined(v) {
		return frame.Done{}, []byte("null"), nil
	}
	text, err := r.write(v, r.head.Limits.PayloadBytes)
	var ex *goja.Exception
	var larger tooLargeError
	switch {
	case errors.As(err, &ex):
		e := r.scriptError(ex.Value())
		e.Reason, e.Type, e.Message = picloud.ReasonPayloadInvalid, "PayloadInvalid", fault.Unpayable(e.Message).Message
		return frame.Done{}, nil, e
	case errors.As(err, &larger):
		return frame.Done{}, nil, fault.EndlessPayload("the result", int(larger), r.head.Limits)
	case err != nil:
		return frame.Done{}, nil, err
	case text == nil:
		return frame.Done{}, nil, fault.Unpayable("it is " + kindOf(v))
	case len(text) > r.head.Limits.PayloadBytes:
		return frame.Done{}, nil, fault.Payload("the result", len(text), r.head.Limits)
	}
	return frame.Done{}, text, nil
}

// response makes the end of a run from a Response.
func (r *run) response(answer web.Response) (frame.Done, []byte, error) {
	size := 0
	for _, h := range answer.Headers {
		size += len(h[0]) + len(h[1])
	}
	if len(answer.Headers) > frame.MaxHeaders || size > frame.MaxHeadersBytes {
		return frame.Done{}, nil, fault.Headers(len(answer.Headers), size)
	}
	if len(answer.Body) > r.head.Limits.PayloadBytes {
		return frame.Done{}, nil, fault.Payload("the response's body", len(answer.Body), r.head.Limits)
	}
	return frame.Done{Response: true, Status: answer.Status, Headers: answer.Headers}, answer.Body, nil
}
