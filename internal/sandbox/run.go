package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/fault"
	"github.com/picloud/picloud/internal/sandbox/frame"
	"github.com/picloud/picloud/internal/sandbox/host"
)

// wallGrace is how long after its wall limit a child may still report the end itself.
const wallGrace = 400 * time.Millisecond

// maxTries is how many processes are tried for a run that could not be delivered: one killed while idle, and a spare killed with it.
const maxTries = 3

// Run implements picloud.Sandbox.
func (p *Pool) Run(ctx context.Context, run picloud.Run) (picloud.Outcome, error) {
	limits := run.Limits.Or(picloud.DefaultLimits).Within(p.options.Ceiling)
	if n := len(run.Event.Data); n > limits.MaxEventBytes() {
		return picloud.Outcome{Failure: fault.Payload("the event's data", n, limits)}, nil
	}
	if run.Time.IsZero() {
		run.Time = time.Now()
	}
	fetch, err := host.NewFetch(host.FetchOptions{Guard: p.options.Egress, Limits: limits, Run: run})
	if err != nil {
		return picloud.Outcome{}, err
	}
	head, data, err := runHead(run, limits)
	if err != nil {
		return picloud.Outcome{}, err
	}
	ctx, unbind := p.bind(ctx)
	defer unbind()
	if err := p.turns.take(ctx, run.AppID); err != nil {
		return picloud.Outcome{}, fmt.Errorf("wait for sandbox: %w", err)
	}
	defer p.turns.give(run.AppID)
	out, err := p.runOnce(ctx, run, fetch, head, data)
	for try := 1; try < maxTries && errors.Is(err, errUndelivered); try++ { // nothing has run: another child may take it
		out, err = p.runOnce(ctx, run, fetch, head, data)
	}
	if errors.Is(err, errUndelivered) {
		return picloud.Outcome{Failure: fault.Died(err.Error())}, nil
	}
	return out, err
}

// runOnce runs in one process. errUndelivered says that it was gone before it began.
func (p *Pool) runOnce(ctx context.Context, run picloud.Run, fetch *host.Fetch, head frame.Run, data []byte) (picloud.Outcome, error) {
	c, err := p.acquire(ctx, run.AppID)
	if err != nil {
		return picloud.Outcome{}, fmt.Errorf("wait for sandbox child: %w", err)
	}
	s := newSession(ctx, c, head.Limits, p.options, fetch, run)
	out, fit, err := s.run(head, data)
	if fit {
		p.release(c)
		return out, err
	}
	p.killed.Add(1)
	p.discard(c)
	if last := out.Hidden.Text(c.stderr.String()); last != "" {
		p.options.Log.WithField("app", run.App).WithField("script", run.Script).WithField("execution", run.ExecutionID).
			WithField("stderr", last).Info("sandbox child ended")
	}
	return out, err
}

// runHead makes the head and the data of a Run frame.
func runHead(run picloud.Run, limits picloud.Limits) (frame.Run, []byte, error) {
	envelope := run.Event
	envelope.Data = nil
	event, err := json.Marshal(envelope)
	if err != nil {
		return frame.Run{}, nil, fmt.Errorf("write event: %w", err)
	}
	return frame.Run{
		ExecutionID: run.ExecutionID, App: run.App, Script: run.Script, Version: run.Version, Attempt: run.Attempt, DryRun: run.DryRun, Taped: run.Tape != nil,
		Depth: run.Event.Depth, RootID: run.Event.RootID, ParentID: run.Event.ParentID, Limits: limits, Time: run.Time, Seed: run.Seed,
		Event: event, DataSize: len(run.Event.Data), Program: frame.Program{SHA256: run.Program.SHA256},
	}, run.Event.Data, nil
}

// Compile implements picloud.Compiler. A source that takes too much to compile is a compile error too.
func (p *Pool) Compile(ctx context.Context, name string, language picloud.Language, source string) (picloud.Program, error) {
	if n := len(source); n > picloud.MaxSourceBytes {
		return picloud.Program{}, picloud.Errorf(picloud.TooLarge, "source_too_large", "the source has %d bytes, the most is %d", n, picloud.MaxSourceBytes)
	}
	ctx, unbind := p.bind(ctx)
	defer unbind()
	if err := take(ctx, p.compile); err != nil {
		return picloud.Program{}, fmt.Errorf("wait for compiler: %w", err)
	}
	defer func() { <-p.compile }()
	program, err := p.compileOnce(ctx, name, language, source)
	for try := 1; try < maxTries && errors.Is(err, errUndelivered); try++ {
		program, err = p.compileOnce(ctx, name, language, source)
	}
	return program, err
}

// compileOnce compiles in one process. errUndelivered says that it was gone before it began.
func (p *Pool) compileOnce(ctx context.Context, name string, language picloud.Language, source string) (picloud.Program, error) {
	c, err := p.acquire(ctx, compiler)
	if err != nil {
		return picloud.Program{}, fmt.Errorf("wait for compiler: %w", err)
	}
	program, fit, err := compileIn(ctx, c, name, language, source)
	if fit {
		p.release(c)
	} else {
		p.discard(c)
	}
	return program, err
}

// compileIn compiles in a process; fit says that the process can serve on.
func compileIn(ctx context.Context, c *process, name string, language picloud.Language, source string) (program picloud.Program, fit bool, err error) {
	stop := context.AfterFunc(ctx, c.kill)
	defer stop()
	late := time.AfterFunc(frame.CompileLimits.Wall+frame.TrialLimits.Wall+wallGrace, c.kill)
	defer late.Stop()

	c.frames.MaxHead, c.frames.MaxBody = maxHello, frame.MaxCompiledBytes
	var answer frame.Compiled
	err = c.send(frame.New(frame.KindCompile, 0, frame.Compile{Name: name, Language: language}, []byte(source)))
	var f frame.Frame
	if err == nil {
		f, err = c.frames.Next()
	}
	if err == nil && f.Kind != frame.KindCompiled {
		err = fmt.Errorf("frame of kind %d for a compilation", f.Kind)
	}
	if err == nil {
		err = frame.Decode(f, &answer)
	}
	if err == nil && (answer.CodeSize < 0 || answer.CodeSize > len(f.Body)) {
		err = errors.New("the sizes of a compilation do not fit")
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return program, false, fmt.Errorf("compile: %w", context.Cause(ctx))
	case undelivered(err):
		return program, false, errUndelivered
	case errors.Is(err, frame.ErrTooLarge):
		return program, false, compileError(frame.Fault{Message: fmt.Sprintf("the compiled program has more than %d bytes", frame.MaxCompiledBytes)})
	case err != nil:
		c.kill()
		<-c.dead
		return program, false, compileError(frame.Fault{Message: c.autopsy(frame.CompileLimits).Message})
	case len(answer.Faults) > 0:
		return program, stop() && !answer.Ending, compileError(answer.Faults...)
	}
	code, sourceMap := f.Body[:answer.CodeSize:answer.CodeSize], f.Body[answer.CodeSize:]
	return picloud.Program{SHA256: digest(code), Code: code, SourceMap: sourceMap}, stop() && !answer.Ending, nil
}

// compileError makes the domain's error of the faults of a source.
func compileError(faults ...frame.Fault) error {
	e := picloud.Errorf(picloud.Invalid, "compile_error", "the source does not compile")
	for _, f := range faults {
		e.Fields = append(e.Fields, picloud.FieldError{Field: "source", Message: cutText(f.Message, maxFaultText), Line: max(f.Line, 1), Column: max(f.Column, 1)})
	}
	return e
}

// maxFaultText is the longest text of a compile error, in bytes.
const maxFaultText = 1 << 10
