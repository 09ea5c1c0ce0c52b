package child

import (
	"fmt"

	"github.com/dop251/goja"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// kv makes ctx.kv.
func (r *run) kv() *goja.Object {
	o := r.NewObject()
	_ = o.Set("get", func(call goja.FunctionCall) goja.Value {
		return r.async(func() (frame.Call, []byte, answer, error) {
			c, err := r.kvCall(frame.OpKVGet, call)
			return c, nil, r.kvValue, err
		})
	})
	_ = o.Set("set", func(call goja.FunctionCall) goja.Value {
		return r.async(func() (frame.Call, []byte, answer, error) {
			c, err := r.kvCall(frame.OpKVSet, call)
			if err != nil {
				return c, nil, nil, err
			}
			body, err := r.encode("value", call.Argument(2))
			return c, body, r.nothing, err
		})
	})
	_ = o.Set("delete", func(call goja.FunctionCall) goja.Value {
		return r.async(func() (frame.Call, []byte, answer, error) {
			c, err := r.kvCall(frame.OpKVDelete, call)
			return c, nil, func(head frame.Reply, _ []byte) (goja.Value, error) { return r.ToValue(head.Found), nil }, err
		})
	})
	_ = o.Set("list", func(call goja.FunctionCall) goja.Value {
		return r.async(func() (frame.Call, []byte, answer, error) {
			c, err := r.kvQuestion(call)
			return c, nil, r.kvItems, err
		})
	})
	return o
}

func (r *run) kvCall(op string, call goja.FunctionCall) (frame.Call, error) {
	c := frame.Call{Op: op}
	var err error
	if c.Collection, err = r.stringArg("collection", call.Argument(0)); err != nil {
		return c, err
	}
	if c.Key, err = r.stringArg("key", call.Argument(1)); err != nil {
		return c, err
	}
	// The server checks too; an error made here has the stack of the call.
	if e := picloud.AsError(picloud.CheckKVNames(c.Collection, c.Key)); e != nil {
		return c, typeError(e.Fields[0].Field + " " + e.Fields[0].Message)
	}
	return c, nil
}

func (r *run) kvQuestion(call goja.FunctionCall) (frame.Call, error) {
	c := frame.Call{Op: frame.OpKVList}
	var err error
	if c.Collection, err = r.stringArg("collection", call.Argument(0)); err != nil {
		return c, err
	}
	if e := picloud.AsError(picloud.CheckKVNames(c.Collection, "any")); e != nil {
		return c, typeError(e.Fields[0].Field + " " + e.Fields[0].Message)
	}
	if goja.IsUndefined(call.Argument(1)) || goja.IsNull(call.Argument(1)) {
		return c, nil
	}
	options, ok := call.Argument(1).(*goja.Object)
	if !ok {
		return c, typeError("options must be an object {prefix?, limit?, cursor?}")
	}
	for name, to := range map[string]*string{"prefix": &c.Prefix, "cursor": &c.Cursor} {
		v := options.Get(name)
		if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
			continue
		}
		if *to, err = r.stringArg(name, v); err != nil {
			return c, err
		}
	}
	for name, s := range map[string]string{"prefix": c.Prefix, "cursor": c.Cursor} {
		if len(s) > picloud.MaxKeyLength {
			return c, typeError(fmt.Sprintf("%s must be at most %d bytes long, is %d", name, picloud.MaxKeyLength, len(s)))
		}
	}
	if v := options.Get("limit"); v != nil && !goja.IsUndefined(v) && !goja.IsNull(v) {
		n, ok := v.Export().(int64)
		if !ok || n < 1 || n > 1<<20 {
			return c, typeError("limit must be a positive integer")
		}
		c.Limit = int(n)
	}
	return c, nil
}

func (r *run) kvValue(head frame.Reply, body []byte) (goja.Value, error) {
	if !head.Found {
		return goja.Null(), nil
	}
	return r.decode(body)
}

func (r *run) kvItems(head frame.Reply, body []byte) (goja.Value, error) {
	items := make([]any, len(head.Items))
	for i, e := range head.Items {
		if e.Size < 0 || e.Size > len(body) {
			return nil, fmt.Errorf("list reply is short of item %d", i)
		}
		value, err := r.decode(body[:e.Size])
		if err != nil {
			return nil, err
		}
		body = body[e.Size:]
		o := r.NewObject()
		_ = o.Set("key", e.Key)
		_ = o.Set("value", value)
		_ = o.Set("version", e.Version)
		items[i] = o
	}
	page := r.NewObject()
	_ = page.Set("items", r.NewArray(items...))
	_ = page.Set("nextCursor", goja.Null())
	if head.Next != "" {
		_ = page.Set("nextCursor", head.Next)
	}
	return page, nil
}
