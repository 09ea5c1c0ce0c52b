package child

import (
	"github.com/dop251/goja"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// topics makes ctx.topics.
func (r *run) topics() *goja.Object {
	o := r.NewObject()
	_ = o.Set("publish", func(call goja.FunctionCall) goja.Value {
		return r.async(func() (frame.Call, []byte, answer, error) {
			topic, err := r.stringArg("topic", call.Argument(0))
			if err != nil {
				return frame.Call{}, nil, nil, err
			}
			// The server checks too; an error made here has the stack of the call.
			if e := picloud.AsError(picloud.CheckTopic(topic)); e != nil {
				return frame.Call{}, nil, nil, typeError(e.Fields[0].Field + " " + e.Fields[0].Message)
			}
			body, err := r.encode("data", call.Argument(1))
			return frame.Call{Op: frame.OpTopicPublish, To: topic}, body, r.nothing, err
		})
	})
	return o
}
