// Package activitiestest has in-memory stand-ins for what the activities need, for tests of workflows and activities.
package activitiestest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// Letter is a buried execution.
type Letter struct {
	Firing    picloud.Firing
	Error     picloud.ScriptError
	Attempts  int
	StartedAt time.Time
}

// Journal is a [picloud.Journal] in memory, with the promises of the real one. It is safe for concurrent use; the zero value is empty.
type Journal struct {
	// Fault is asked before every call, with the method's name; an error is what the call gives. nil = no faults.
	Fault func(method string) error
	// Missing says that no script is there.
	Missing bool

	mu        sync.Mutex
	ends      map[string]picloud.Committed
	commits   map[string]picloud.Commit
	attempts  map[string][]picloud.Attempt
	letters   map[string]Letter
	abandoned map[string]picloud.Committed
}

var _ picloud.Journal = (*Journal)(nil)

func (j *Journal) fault(method string) error {
	if j.Fault == nil {
		return nil
	}
	return j.Fault(method)
}

// put stores v under the execution's id, in a map that may not be there yet.
func put[V any](m *map[string]V, id string, v V) {
	if *m == nil {
		*m = make(map[string]V)
	}
	(*m)[id] = v
}

// OpenExecution implements picloud.Journal.
func (j *Journal) OpenExecution(_ context.Context, f picloud.Firing) (picloud.Opened, error) {
	if err := j.fault("OpenExecution"); err != nil {
		return picloud.Opened{}, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if end, ok := j.ends[f.ExecutionID]; ok {
		return picloud.Opened{Committed: &end}, nil
	}
	if j.Missing {
		return picloud.Opened{}, picloud.ErrScriptMissing
	}
	return picloud.Opened{Event: picloud.Event{ID: f.EventID}, Limits: picloud.DefaultLimits}, nil
}

// CommitExecution implements picloud.Journal.
func (j *Journal) CommitExecution(_ context.Context, f picloud.Firing, c picloud.Commit) (picloud.Committed, error) {
	if err := j.fault("CommitExecution"); err != nil {
		return picloud.Committed{}, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if end, ok := j.ends[f.ExecutionID]; ok {
		return end, nil
	}
	end := picloud.Committed{Status: c.Status, Error: c.Outcome.Failure}
	if c.Status == picloud.StatusSucceeded {
		end.Result = &c.Outcome.Result
	}
	put(&j.ends, f.ExecutionID, end)
	put(&j.commits, f.ExecutionID, c)
	return end, nil
}

// RecordAttempt implements picloud.Journal.
func (j *Journal) RecordAttempt(_ context.Context, f picloud.Firing, a picloud.Attempt) error {
	if err := j.fault("RecordAttempt"); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if slices.ContainsFunc(j.attempts[f.ExecutionID], func(b picloud.Attempt) bool { return b.Attempt == a.Attempt }) {
		return nil
	}
	put(&j.attempts, f.ExecutionID, append(j.attempts[f.ExecutionID], a))
	return nil
}

// BuryExecution implements picloud.Journal; the letter's id is "letter-" and the execution's.
func (j *Journal) BuryExecution(_ context.Context, f picloud.Firing, e picloud.ScriptError, attempts int, startedAt time.Time) (string, error) {
	if err := j.fault("BuryExecution"); err != nil {
		return "", err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if end, ok := j.ends[f.ExecutionID]; ok && end.Status != picloud.StatusDeadLettered {
		return "", nil
	}
	if f.Kind == picloud.KindDeadLetter {
		put(&j.ends, f.ExecutionID, picloud.Committed{Status: picloud.StatusFailed, Error: &e})
		return "", nil
	}
	put(&j.ends, f.ExecutionID, picloud.Committed{Status: picloud.StatusDeadLettered, Error: &e})
	put(&j.letters, f.ExecutionID, Letter{Firing: f, Error: e, Attempts: attempts, StartedAt: startedAt})
	return "letter-" + f.ExecutionID, nil
}

// Path implements picloud.Journal: two steps of a circle.
func (j *Journal) Path(_ context.Context, f picloud.Firing) ([]picloud.Step, error) {
	if err := j.fault("Path"); err != nil {
		return nil, err
	}
	return []picloud.Step{{Trigger: f.Trigger}, {Trigger: f.Trigger, What: f.What}}, nil
}

// CancelExecution implements picloud.Journal.
func (j *Journal) CancelExecution(_ context.Context, f picloud.Firing, _ time.Time, why *picloud.ScriptError) (picloud.Committed, error) {
	if err := j.fault("CancelExecution"); err != nil {
		return picloud.Committed{}, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	end, ok := j.ends[f.ExecutionID]
	if !ok {
		end = picloud.Committed{Status: picloud.StatusCanceled, Error: why}
		put(&j.ends, f.ExecutionID, end)
	}
	end.Result = nil
	return end, nil
}

// RecordAbandoned implements picloud.Journal.
func (j *Journal) RecordAbandoned(_ context.Context, f picloud.Firing, c picloud.Committed, _ time.Duration) error {
	if err := j.fault("RecordAbandoned"); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	put(&j.abandoned, f.ExecutionID, c)
	return nil
}

// End is the end of an execution; ok is false when it has none.
func (j *Journal) End(id string) (end picloud.Committed, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	end, ok = j.ends[id]
	return end, ok
}

// Commit is the commit that ended an execution.
func (j *Journal) Commit(id string) picloud.Commit {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.commits[id]
}

// Attempts are the failed attempts of an execution, in their order.
func (j *Journal) Attempts(id string) []picloud.Attempt {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.attempts[id])
}

// Letters are the buried executions.
func (j *Journal) Letters() map[string]Letter {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.letters)
}

// Abandoned are the executions whose callers were gone.
func (j *Journal) Abandoned() map[string]picloud.Committed {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.abandoned)
}
