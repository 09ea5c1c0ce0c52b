package activities

import (
	"context"
	"errors"
	"sync"
)

// errStopped is the cause of the end of an attempt that was stopped.
var errStopped = errors.New("the execution was stopped")

// Running are the attempts that this process runs, so that they can be stopped at once: a local attempt hears of the cancellation of its workflow only when it is over. The zero value is
// empty; it is safe for concurrent use.
type Running struct {
	mu    sync.Mutex
	stops map[string]map[*context.CancelCauseFunc]struct{} // by execution id; rarely more than one
}

// Stop ends the attempts of an execution that run here. What becomes of the execution then is for the attempt to find out: it ends as its record says, and where that has no end, its workflow goes on.
func (r *Running) Stop(executionID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for stop := range r.stops[executionID] {
		(*stop)(errStopped)
	}
}

// add gives a context that Stop ends, until done is called. A nil Running stops nothing.
func (r *Running) add(ctx context.Context, executionID string) (_ context.Context, stop context.CancelCauseFunc, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	if r == nil {
		return ctx, cancel, func() { cancel(nil) }
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stops == nil {
		r.stops = make(map[string]map[*context.CancelCauseFunc]struct{})
	}
	if r.stops[executionID] == nil {
		r.stops[executionID] = make(map[*context.CancelCauseFunc]struct{})
	}
	r.stops[executionID][&cancel] = struct{}{}
	return ctx, cancel, func() {
		cancel(nil)
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.stops[executionID], &cancel)
		if len(r.stops[executionID]) == 0 {
			delete(r.stops, executionID)
		}
	}
}
