package child

import (
	"errors"
	"fmt"
	"time"

	"github.com/dop251/goja"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/fault"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// answer makes the value of a call's promise from the server's reply.
type answer func(head frame.Reply, body []byte) (goja.Value, error)

// call is one open call to the server.
type call struct {
	answer          answer
	resolve, reject func(any) error
	frames          []goja.StackFrame // where it was made; nil where its errors need no place
}

// typeError and rangeError are errors that the script gets as errors of these classes.
type (
	typeError  string
	rangeError string
)

// namedError is an Error whose name tells it from others: one that the platform alone makes, with no class of its own.
type namedError struct{ name, message string }

func (e namedError) Error() string { return e.message }

func (e typeError) Error() string  { return string(e) }
func (e rangeError) Error() string { return string(e) }

// async makes one call to the server and gives its promise. What prepare finds wrong rejects the promise.
func (r *run) async(prepare func() (frame.Call, []byte, answer, error)) goja.Value {
	promise, resolve, reject := r.NewPromise()
	head, body, answer, err := prepare()
	if err != nil {
		if err := reject(r.reason(err)); err != nil {
			panic(err)
		}
		return r.ToValue(promise)
	}
	if e := r.count(head.Op); e != nil {
		r.server.watch.fail(e)
		return r.ToValue(promise)
	}
	r.server.lastCall++
	r.said = false
	id := r.server.lastCall
	c := &call{answer: answer, resolve: resolve, reject: reject}
	if head.Op == frame.OpFetch || head.Op == frame.OpSecretGet || r.head.Taped { // they fail by their answers
		c.frames = r.CaptureCallStack(maxFrames, nil)
	}
	r.calls[id] = c
	r.server.conn.send(frame.New(frame.KindCall, id, head, body))
	return r.ToValue(promise)
}

// count counts a call against the limits. The server counts too: this only spares the process.
func (r *run) count(op string) *picloud.ScriptError {
	limits := r.head.Limits
	if r.made++; r.made > limits.HostCalls {
		return fault.HostCalls(limits)
	}
	if op == frame.OpKVSet || op == frame.OpKVDelete || op == frame.OpTopicPublish || op == frame.OpQueueSend || op == frame.OpEmailSend {
		if r.effects++; r.effects > limits.Effects {
			return fault.Effects(limits)
		}
	}
	return nil
}

// receive takes one reply and settles its promise, with all that follows from it.
func (r *run) receive() error {
	f, err := r.server.conn.next()
	if err != nil {
		return &brokenError{err}
	}
	if f.Kind != frame.KindReply {
		return &brokenError{fmt.Errorf("frame of kind %d within a run", f.Kind)}
	}
	c := r.calls[f.ID]
	if c == nil { // of an earlier run
		return nil
	}
	delete(r.calls, f.ID)
	var head frame.Reply
	if err := frame.Decode(f, &head); err != nil {
		return &brokenError{err}
	}
	r.clock.advance(r.clock.began.Add(time.Duration(head.Elapsed) * time.Microsecond))
	if head.Error != "" {
		switch head.ErrorType {
		case "TypeError":
			return c.reject(r.placed(typeError(head.Error), c.frames))
		case "RangeError":
			return c.reject(r.placed(rangeError(head.Error), c.frames))
		case "":
			return c.reject(r.placed(errors.New(head.Error), c.frames))
		default:
			return c.reject(r.placed(namedError{head.ErrorType, head.Error}, c.frames))
		}
	}
	v, err := c.answer(head, f.Body)
	var refused typeError
	if errors.As(err, &refused) {
		return c.reject(r.placed(refused, c.frames))
	}
	if err != nil {
		return err
	}
	return c.resolve(v)
}

// placed is reason with the stack of the call: an error that is made when the reply comes has none of its own.
func (r *run) placed(err error, frames []goja.StackFrame) goja.Value {
	v := r.reason(err)
	if stack := cleanFrames(frames); stack != "" {
		o := v.(*goja.Object)
		text := o.String() + "\n" + stack
		_ = o.DefineDataProperty("stack", r.ToValue(text), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
	return v
}

// reason gives what a promise is rejected with for err. An interrupt is no reason: it goes on upwards.
func (r *run) reason(err error) goja.Value {
	class := r.errorClass
	var ex *goja.Exception
	var t typeError
	var g rangeError
	switch {
	case errors.As(err, &t):
		class = r.typeErrorClass
	case errors.As(err, &g):
		class = r.rangeErrorClass
	case errors.As(err, &ex):
		return ex.Value()
	case isUncatchable(err):
		panic(err)
	}
	o, made := r.New(class, r.ToValue(err.Error()))
	if made != nil {
		panic(made)
	}
	if named, ok := errors.AsType[namedError](err); ok {
		_ = o.DefineDataProperty("name", r.ToValue(named.name), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
	return o
}

// isUncatchable reports whether err must end the run.
func isUncatchable(err error) bool {
	var interrupted *goja.InterruptedError
	var overflow *goja.StackOverflowError
	return errors.As(err, &interrupted) || errors.As(err, &overflow)
}

// nothing answers a call that gives no value.
func (r *run) nothing(frame.Reply, []byte) (goja.Value, error) { return goja.Undefined(), nil }

// stringArg gives a string argument.
func (r *run) stringArg(name string, v goja.Value) (string, error) {
	s, ok := v.Export().(string)
	if !ok {
		return "", typeError(name + " must be a string, is " + kindOf(v))
	}
	return s, nil
}
