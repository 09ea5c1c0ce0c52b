package child

import (
	"github.com/dop251/goja"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// secrets makes ctx.secrets.
func (r *run) secrets() *goja.Object {
	o := r.NewObject()
	_ = o.Set("get", func(call goja.FunctionCall) goja.Value {
		return r.async(func() (frame.Call, []byte, answer, error) {
			name, err := r.stringArg("name", call.Argument(0))
			if err != nil {
				return frame.Call{}, nil, nil, err
			}
			// The server checks too; an error made here has the stack of the call.
			if e := picloud.AsError(picloud.CheckSecretName("name", name)); e != nil {
				return frame.Call{}, nil, nil, typeError(e.Fields[0].Field + " " + e.Fields[0].Message)
			}
			value := func(_ frame.Reply, body []byte) (goja.Value, error) { return r.ToValue(string(body)), nil }
			return frame.Call{Op: frame.OpSecretGet, Key: name}, nil, value, nil
		})
	})
	return o
}
