package activitiestest

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"github.com/picloud/picloud/internal/picloud"
)

// Script is what a run does: what it gives, or how it fails.
type Script func(ctx context.Context, run picloud.Run) (picloud.Outcome, error)

// Sandbox is a [picloud.Sandbox] that runs Go in place of scripts, and remembers the runs.
type Sandbox struct {
	Script Script

	mu   sync.Mutex
	runs []picloud.Run
}

var _ picloud.Sandbox = (*Sandbox)(nil)

// Run implements picloud.Sandbox.
func (s *Sandbox) Run(ctx context.Context, run picloud.Run) (picloud.Outcome, error) {
	s.mu.Lock()
	s.runs = append(s.runs, run)
	s.mu.Unlock()
	return s.Script(ctx, run)
}

// Runs are the runs so far.
func (s *Sandbox) Runs() []picloud.Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.runs)
}

// Returns is a script that returns the JSON value.
func Returns(value string) Script {
	return Gives(picloud.Outcome{Result: picloud.Result{Value: json.RawMessage(value)}})
}

// Gives is a script that has that outcome.
func Gives(o picloud.Outcome) Script {
	return func(context.Context, picloud.Run) (picloud.Outcome, error) { return o, nil }
}

// Throws is a script that throws e.
func Throws(e picloud.ScriptError) Script {
	return func(context.Context, picloud.Run) (picloud.Outcome, error) {
		thrown := e
		return picloud.Outcome{Failure: &thrown}, nil
	}
}

// Breaks is a sandbox that fails.
func Breaks(err error) Script {
	return func(context.Context, picloud.Run) (picloud.Outcome, error) { return picloud.Outcome{}, err }
}

// Hangs is a script that runs until it is stopped.
func Hangs() Script {
	return func(ctx context.Context, _ picloud.Run) (picloud.Outcome, error) {
		<-ctx.Done()
		return picloud.Outcome{}, ctx.Err()
	}
}

// InTurn is a script that does as the first one does in its first run, as the second in its second, and at last always as the last one.
func InTurn(scripts ...Script) Script {
	var mu sync.Mutex
	next := 0
	return func(ctx context.Context, run picloud.Run) (picloud.Outcome, error) {
		mu.Lock()
		script := scripts[next]
		next = min(next+1, len(scripts)-1)
		mu.Unlock()
		return script(ctx, run)
	}
}
