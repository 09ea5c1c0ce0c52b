package child

import (
	"crypto/rand"
	_ "embed"
	"fmt"

	"github.com/dop251/goja"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/child/web"
)

// preludeName is the file of the prelude's frames in stacks.
const preludeName = web.FilePrefix + "prelude"

//go:embed prelude.js
var preludeSource string

var prelude = goja.MustCompile(preludeName, preludeSource, true)

// scope is one fresh runtime with the prelude in it, for one run.
type scope struct {
	*goja.Runtime
	globals                                     *web.Globals
	clock                                       *clock
	invoke, complete, parse, stringify          goja.Callable
	errorClass, typeErrorClass, rangeErrorClass goja.Value
	objectPrototype                             *goja.Object
}

// newScope makes a runtime with a clock and the seed of its Math.random. Its error is a fault of the prelude, or an interrupt.
func newScope(c *clock, seed int64) (*scope, error) {
	s := &scope{Runtime: goja.New(), clock: c}
	s.SetTimeSource(c.Now)
	s.SetRandSource(randomness(seed))
	s.SetMaxCallStackSize(picloud.DefaultLimits.CallDepth)
	var err error
	if s.globals, err = web.Install(s.Runtime, web.Host{Random: rand.Reader, Now: c.Now, Started: c.began}); err != nil {
		return nil, fmt.Errorf("install globals: %w", err)
	}
	maker, err := s.RunProgram(prelude)
	if err != nil {
		return nil, fmt.Errorf("load prelude: %w", err)
	}
	call, _ := goja.AssertFunction(maker)
	made, err := call(nil)
	if err != nil {
		return nil, fmt.Errorf("run prelude: %w", err)
	}
	o := made.(*goja.Object)
	s.invoke, _ = goja.AssertFunction(o.Get("invoke"))
	s.complete, _ = goja.AssertFunction(o.Get("complete"))
	// Taken before the script can change them.
	json := s.Get("JSON").(*goja.Object)
	s.parse, _ = goja.AssertFunction(json.Get("parse"))
	s.stringify, _ = goja.AssertFunction(json.Get("stringify"))
	s.objectPrototype = o.Prototype()
	s.errorClass, s.typeErrorClass, s.rangeErrorClass = s.Get("Error"), s.Get("TypeError"), s.Get("RangeError")
	return s, nil
}

// load runs a program: it evaluates the script's module.
func (s *scope) load(p *program) error {
	if err := s.attempt(func() { s.globals.Patch(p.needs) }); err != nil {
		return err
	}
	_, err := s.RunProgram(p.Program)
	return err //nolint:wrapcheck // the caller asks what kind of error it is
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
