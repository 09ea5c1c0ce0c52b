package child

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dop251/goja"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/fault"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// scriptGlobal is the global in which a compiled script leaves its exports.
const scriptGlobal = "__picloud_script"

// run is one run: a fresh runtime, its event loop, and its calls to the server.
type run struct {
	*scope
	server    *server
	number    uint32
	head      frame.Run
	timers    timers
	console   *console
	calls     map[uint32]*call // open ones
	made      int              // calls made
	said      bool             // that the last of them is all that the script waits for
	fetches   int              // of them, requests
	fetchFunc *goja.Object
	effects   int
	unhandled rejections
}

// run serves one Run frame. An error is the server's nonsense or the end of the socket, never the script's doing.
func (s *server) run(f frame.Frame) error {
	var head frame.Run
	if err := frame.Decode(f, &head); err != nil {
		return err
	}
	p := head.Program
	parts, err := frame.Split(f.Body, head.DataSize, p.CodeSize, p.MapSize)
	if err != nil {
		return err
	}
	done, body, err := s.serveRun(f.ID, head, parts[0], parts[1], parts[2])
	if err != nil {
		return err
	}
	s.conn.send(frame.New(frame.KindDone, f.ID, done, body))
	return nil
}

// serveRun runs a script to its end, within its limits. number is the run's, to the server.
func (s *server) serveRun(number uint32, head frame.Run, data, code, sourceMap []byte) (done frame.Done, body []byte, err error) {
	r := &run{server: s, number: number, head: head, calls: map[uint32]*call{}}
	if r.scope, err = newScope(newClock(head.Time), head.Seed); err != nil {
		return done, nil, err
	}
	r.SetMaxCallStackSize(head.Limits.CallDepth)
	s.watch.begin(head.Limits, r.doneFailure, func(e *picloud.ScriptError) { r.Interrupt(e) })
	done, body, err = r.execute(data, code, sourceMap)
	limit, cpu := s.watch.end()
	if limit != nil {
		done, body = frame.Done{Failure: limit}, nil
	}
	done.CPU = cpu
	return done, body, err
}

// doneFailure reports a run that hit a limit.
func (r *run) doneFailure(e *picloud.ScriptError, cpu time.Duration) frame.Frame {
	return frame.New(frame.KindDone, r.number, frame.Done{Failure: e, CPU: cpu}, nil)
}

// program gives the run's program: from the cache, from what came with the run, or else from the server.
func (r *run) program(code, sourceMap []byte) (*program, error) {
	s, key := r.server, programKey{r.head.Program.SHA256, r.head.Script}
	if p := s.programs.get(key); p != nil {
		return p, nil
	}
	if len(code) == 0 {
		s.conn.send(frame.New(frame.KindNeed, r.number, nil, nil))
		f, err := r.nextFrame(frame.KindProgram)
		if err != nil {
			return nil, err
		}
		var head frame.Program
		if err := frame.Decode(f, &head); err != nil {
			return nil, err
		}
		parts, err := frame.Split(f.Body, head.CodeSize, head.MapSize)
		if err != nil {
			return nil, err
		}
		code, sourceMap = parts[0], parts[1]
	}
	return s.programs.add(key, code, sourceMap)
}

// nextFrame waits for a frame of a kind; replies to calls of earlier runs are passed over.
func (r *run) nextFrame(kind frame.Kind) (frame.Frame, error) {
	if err := r.server.conn.flush(); err != nil {
		return frame.Frame{}, err
	}
	for {
		f, err := r.server.conn.next()
		if err != nil || f.Kind == kind {
			return f, err
		}
		if f.Kind != frame.KindReply {
			return f, fmt.Errorf("frame of kind %d where %d was due", f.Kind, kind)
		}
	}
}

// execute runs the script to its end.
func (r *run) execute(data, code, sourceMap []byte) (frame.Done, []byte, error) {
	program, err := r.program(code, sourceMap)
	if err != nil {
		return frame.Done{}, nil, err
	}
	r.install()
	value, err := r.evaluate(program, data)
	var broken *brokenError
	if errors.As(err, &broken) {
		return frame.Done{}, nil, broken.err
	}
	var done frame.Done
	var body []byte
	if err == nil {
		done, body, err = r.result(value)
	}
	if err != nil {
		done, body = frame.Done{Failure: r.failure(err)}, nil
	}
	r.unhandled.report(r)
	return done, body, nil
}

// brokenError is a fault of the connection to the server.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return e.err.Error() }

// failure makes the failure of an error that ended the script.
func (r *run) failure(err error) *picloud.ScriptError {
	var known *picloud.ScriptError
	if errors.As(err, &known) {
		return known
	}
	limit := r.server.watch.failure()
	var overflow *goja.StackOverflowError
	if limit == nil && errors.As(err, &overflow) {
		limit = fault.CallDepth(r.head.Limits)
		limit.Stack = cut(cleanFrames(overflow.Stack()), picloud.MaxErrorStack)
	}
	return r.thrownError(err, limit)
}

// install adds what belongs to this run to its runtime.
func (r *run) install() {
	r.timers.install(r.scope)
	r.console = newConsole(r.scope, r.head.Limits.LogBytes, r.server.conn, r.number)
	r.globals.Provide("fetch", r.fetchFunction)
	r.SetPromiseRejectionTracker(r.unhandled.track)
}

// evaluate runs the module and its default export, and waits for what that gives.
func (r *run) evaluate(p *program, data []byte) (goja.Value, error) {
	if err := r.load(p); err != nil {
		return nil, err
	}
	script, err := r.defaultExport()
	if err != nil {
		return nil, err
	}
	event, err := r.event(data)
	if err != nil {
		return nil, err
	}
	ctx, err := r.context()
	if err != nil {
		return nil, err
	}
	v, err := r.invoke(nil, script, event, ctx)
	if err != nil {
		return nil, err
	}
	promise := v.Export().(*goja.Promise)
	r.unhandled.main = promise
	if err := r.settle(promise); err != nil {
		return nil, err
	}
	if promise.State() == goja.PromiseStateRejected {
		return nil, r.scriptError(promise.Result())
	}
	return promise.Result(), nil
}

// defaultExport gives what the module exports as default.
func (s *scope) defaultExport() (goja.Value, error) {
	var v goja.Value
	if err := s.attempt(func() {
		if exports, ok := s.Get(scriptGlobal).(*goja.Object); ok {
			v = exports.Get("default")
		}
	}); err != nil {
		return nil, err
	}
	if _, ok := goja.AssertFunction(v); !ok {
		return nil, &picloud.ScriptError{Reason: picloud.ReasonScriptError, Type: "TypeError", Message: "the script's default export is not a function"}
	}
	return v, nil
}

// settle runs the event loop until the promise is settled.
func (r *run) settle(promise *goja.Promise) error {
	s := r.server
	for promise.State() == goja.PromiseStatePending {
		if e := s.watch.failure(); e != nil {
			return e
		}
		if fired, err := r.timers.fire(); err != nil {
			return err
		} else if fired {
			continue
		}
		in, timed := r.timers.next()
		if !timed && len(r.calls) == 0 {
			return fault.NeverSettled()
		}
		left := s.watch.left()
		if left <= 0 {
			return fault.Wall(r.head.Limits)
		}
		if timed && in < left {
			left = in
		}
		if !timed && len(r.calls) == 1 && r.calls[s.lastCall] != nil && !r.said {
			s.conn.send(frame.New(frame.KindWait, 0, nil, nil))
			r.said = true
		}
		if err := s.conn.flush(); err != nil {
			return &brokenError{err}
		}
		readable, err := s.conn.wire.Wait(left)
		if err != nil {
			return &brokenError{err}
		}
		if readable {
			var failed error
			if err := r.attempt(func() { failed = r.receive() }); err != nil {
				return err
			}
			if failed != nil {
				return failed
			}
		}
	}
	return nil
}

// event makes the script's event: the envelope with its data.
func (r *run) event(data []byte) (goja.Value, error) {
	v, err := r.decode(r.head.Event)
	if err != nil {
		return nil, err
	}
	o, ok := v.(*goja.Object)
	if !ok {
		return nil, errors.New("the event is no object")
	}
	if len(data) > 0 {
		d, err := r.decode(data)
		if err != nil {
			return nil, err
		}
		if err := o.Set("data", d); err != nil {
			return nil, fmt.Errorf("set event data: %w", err)
		}
	}
	return o, nil
}

// context makes the script's ctx.
func (r *run) context() (goja.Value, error) {
	h := r.head
	execution := r.NewObject()
	parent := goja.Null()
	if h.ParentID != "" {
		parent = r.ToValue(h.ParentID)
	}
	o := r.NewObject()
	for _, p := range []struct {
		of    *goja.Object
		name  string
		value any
	}{
		{execution, "id", h.ExecutionID}, {execution, "attempt", h.Attempt}, {execution, "depth", h.Depth}, {execution, "rootId", h.RootID},
		{execution, "parentId", parent}, {execution, "dryRun", h.DryRun},
		{o, "app", h.App}, {o, "script", h.Script}, {o, "version", h.Version}, {o, "execution", execution}, {o, "kv", r.kv()}, {o, "topics", r.topics()}, {o, "queues", r.queues()},
		{o, "email", r.email()}, {o, "secrets", r.secrets()},
	} {
		if err := p.of.Set(p.name, p.value); err != nil {
			return nil, fmt.Errorf("make ctx.%s: %w", p.name, err)
		}
	}
	if err := o.Set("fetch", r.fetchFunction()); err != nil {
		return nil, fmt.Errorf("make ctx.fetch: %w", err)
	}
	return r.complete(nil, o)
}

// encode makes the JSON text of a value, within the payload limit. what names it in errors.
func (r *run) encode(what string, v goja.Value) (json.RawMessage, error) {
	most := r.head.Limits.PayloadBytes
	text, err := r.write(v, most)
	var larger tooLargeError
	switch {
	case errors.As(err, &larger):
		return nil, rangeError(fmt.Sprintf("%s has more than %d bytes, the payload limit is %d", what, larger, most))
	case err != nil:
		return nil, err
	case text == nil:
		return nil, typeError(what + " must be JSON, is " + kindOf(v))
	case len(text) > most:
		return nil, rangeError(fmt.Sprintf("%s has %d bytes, the payload limit is %d", what, len(text), most))
	}
	return text, nil
}

// kindOf names what a value is.
func kindOf(v goja.Value) string {
	if goja.IsUndefined(v) {
		return "undefined"
	}
	if goja.IsNull(v) {
		return "null"
	}
	switch v.(type) {
	case *goja.Symbol:
		return "a symbol"
	case *goja.Object:
		if _, ok := goja.AssertFunction(v); ok {
			return "a function"
		}
		return "an object"
	}
	switch v.ExportType().Kind().String() {
	case "string":
		return "a string"
	case "bool":
		return "a boolean"
	case "ptr":
		return "a BigInt"
	default:
		return "a number"
	}
}
