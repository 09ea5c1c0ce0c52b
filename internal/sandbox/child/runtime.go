package child

import (
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/dop251/goja"
)

// maxCallDepth is how deep a script may call. Deeper is a RangeError that ends the run: goja lets no script catch it.
const maxCallDepth = 4000

// preludeName is the file of the prelude's frames in stacks.
const preludeName = "picloud:prelude"

//go:embed prelude.js
var preludeSource string

var prelude = goja.MustCompile(preludeName, preludeSource, true)

// scope is one fresh runtime with the prelude in it, for one run.
type scope struct {
	*goja.Runtime
	invoke, unwrap, parse, stringify goja.Callable
	complete                         goja.Callable
	nonRetryable, retryAfter         *goja.Object

	errorClass, typeErrorClass, rangeErrorClass goja.Value
}

// newScope makes a runtime. Its error is a fault of the prelude, or an interrupt.
func newScope() (*scope, error) {
	s := &scope{Runtime: goja.New()}
	s.SetMaxCallStackSize(maxCallDepth)
	maker, err := s.RunProgram(prelude)
	if err != nil {
		return nil, fmt.Errorf("load prelude: %w", err)
	}
	call, _ := goja.AssertFunction(maker)
	host := s.NewObject()
	_ = host.Set("duration", s.duration)
	made, err := call(nil, host)
	if err != nil {
		return nil, fmt.Errorf("run prelude: %w", err)
	}
	o := made.(*goja.Object)
	for name, f := range map[string]*goja.Callable{"invoke": &s.invoke, "unwrap": &s.unwrap, "parse": &s.parse, "stringify": &s.stringify, "complete": &s.complete} {
		*f, _ = goja.AssertFunction(o.Get(name))
	}
	s.errorClass, s.typeErrorClass, s.rangeErrorClass = s.Get("Error"), s.Get("TypeError"), s.Get("RangeError")
	s.nonRetryable, s.retryAfter = o.Get("NonRetryableError").(*goja.Object), o.Get("RetryAfterError").(*goja.Object)
	return s, nil
}

// attempt runs f, which may run the script's code from outside the runtime, and gives what was thrown, or the interrupt that ended it.
func (s *scope) attempt(f func()) (err error) {
	defer func() {
		if x := recover(); x != nil {
			uncatchable, ok := x.(error)
			if !ok || !isUncatchable(uncatchable) {
				panic(x)
			}
			err = uncatchable
		}
	}()
	if ex := s.Try(f); ex != nil {
		return ex
	}
	return nil
}

// maxRetryAfter bounds what a script may ask for.
const maxRetryAfter = 365 * 24 * time.Hour

// duration gives the milliseconds of a Go duration string or a number of milliseconds, as RetryAfterError takes it.
func (s *scope) duration(call goja.FunctionCall) goja.Value {
	arg := call.Argument(0)
	var d time.Duration
	var err error
	switch v := arg.Export().(type) {
	case string:
		d, err = time.ParseDuration(v)
	case int64:
		d = time.Duration(min(v, int64(maxRetryAfter/time.Millisecond)+1)) * time.Millisecond
	case float64:
		d = time.Duration(min(v, float64(maxRetryAfter/time.Millisecond)+1) * float64(time.Millisecond))
	default:
		err = errors.New("not a duration")
	}
	if err != nil || d <= 0 || d > maxRetryAfter {
		panic(s.NewTypeError("RetryAfterError takes a positive duration of at most 365 days, like \"30s\", or a number of milliseconds"))
	}
	return s.ToValue(float64(d) / float64(time.Millisecond))
}
