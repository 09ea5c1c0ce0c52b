package child

import (
	"time"

	"github.com/dop251/goja"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// queues makes ctx.queues.
func (r *run) queues() *goja.Object {
	o := r.NewObject()
	_ = o.Set("send", func(call goja.FunctionCall) goja.Value {
		return r.async(func() (frame.Call, []byte, answer, error) {
			c, err := r.queueMessage(call)
			if err != nil {
				return c, nil, nil, err
			}
			body, err := r.encode("data", call.Argument(1))
			return c, body, r.nothing, err
		})
	})
	return o
}

// queueMessage reads the queue and the options of a send. The server checks too; an error made here has the stack of the call.
func (r *run) queueMessage(call goja.FunctionCall) (frame.Call, error) {
	var m picloud.QueueMessage
	var err error
	if m.Queue, err = r.stringArg("queue", call.Argument(0)); err != nil {
		return frame.Call{}, err
	}
	if v := call.Argument(2); !goja.IsUndefined(v) && !goja.IsNull(v) {
		options, ok := v.(*goja.Object)
		if !ok {
			return frame.Call{}, typeError("options must be an object {delay?, priority?, orderingKey?}")
		}
		if v := options.Get("delay"); v != nil && !goja.IsUndefined(v) {
			text, err := r.stringArg("delay", v)
			if err != nil {
				return frame.Call{}, err
			}
			if m.Delay, err = time.ParseDuration(text); err != nil {
				return frame.Call{}, typeError("delay must be a duration, e.g. \"500ms\", \"10s\" or \"5m\"")
			}
		}
		if v := options.Get("priority"); v != nil && !goja.IsUndefined(v) {
			n, ok := v.Export().(int64)
			if !ok || n < picloud.MinQueuePriority || n > picloud.MaxQueuePriority {
				return frame.Call{}, typeError("priority must be a whole number, -100 to 100")
			}
			m.Priority = int(n)
		}
		if m.OrderingKey, err = r.orderingKey(options.Get("orderingKey")); err != nil {
			return frame.Call{}, err
		}
	}
	if e := picloud.AsError(m.Check()); e != nil {
		return frame.Call{}, typeError(e.Fields[0].Field + " " + e.Fields[0].Message)
	}
	return frame.Call{Op: frame.OpQueueSend, To: m.Queue, DelayMS: m.Delay.Milliseconds(), Priority: m.Priority, Order: m.OrderingKey}, nil
}

// orderingKey reads the option of that name; "" where it is left out.
func (r *run) orderingKey(v goja.Value) (string, error) {
	if v == nil || goja.IsUndefined(v) {
		return "", nil
	}
	key, err := r.stringArg("orderingKey", v)
	if err == nil && key == "" {
		err = typeError("orderingKey must not be empty: leave it out where no order is wanted")
	}
	return key, err
}
