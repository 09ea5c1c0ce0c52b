package child

import (
	"github.com/dop251/goja"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// email makes ctx.email.
func (r *run) email() *goja.Object {
	o := r.NewObject()
	_ = o.Set("send", func(call goja.FunctionCall) goja.Value {
		return r.async(func() (frame.Call, []byte, answer, error) {
			body, err := r.encode("mail", call.Argument(0))
			if err != nil {
				return frame.Call{}, nil, nil, err
			}
			// The server checks too; an error made here has the stack of the call.
			if _, err := picloud.ParseMail(body); err != nil {
				e := picloud.AsError(err)
				return frame.Call{}, nil, nil, typeError(e.Fields[0].Field + " " + e.Fields[0].Message)
			}
			return frame.Call{Op: frame.OpEmailSend}, body, r.nothing, nil
		})
	})
	return o
}
