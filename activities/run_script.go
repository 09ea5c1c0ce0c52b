package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/picloud/picloud/internal/picloud"
)

// MaxConflictRuns is how often a script is run in one attempt because what it read had changed before its commit.
const MaxConflictRuns = 10

// RunScriptInput is one attempt, or the first of several under Temporal's retry policy.
type RunScriptInput struct {
	Firing    picloud.Firing `json:"firing"`
	Failed    int            `json:"failed"`              // attempts of the script that failed before this activity
	StartedAt time.Time      `json:"started_at,omitzero"` // of the first attempt; zero in it
}

// RunScriptResult is the end of the execution: succeeded, failed where a caller waits, or whatever it had ended with before. End.Result is kept
// only for a caller in another process, whom the workflow's result reaches: else it is in the database alone.
type RunScriptResult struct {
	End picloud.Committed `json:"end"`
}

// RunScript runs one attempt and commits what it did. A failed script is an application error with a [Failure] that names it; so is a fault
// of the platform, with a Failure that names none. It may be repeated: an execution that is committed is answered from its record.
func (a *Activities) RunScript(ctx context.Context, in RunScriptInput) (RunScriptResult, error) {
	r := newRun(ctx, a, in)
	r.silence = r.heartbeat(ctx)
	defer r.silence()
	ctx, cancel := r.untilHandedBack(ctx)
	defer cancel()
	ctx, stop, done := r.Running.add(ctx, r.firing.ExecutionID)
	defer done()
	r.watchCaller(ctx, stop)
	return r.do(ctx)
}

// untilHandedBack ends a normal activity's script in time before the end of a stopping worker: once that has come, nothing that the activity
// says reaches the workflow.
func (r *run) untilHandedBack(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.local || r.StopGrace <= 0 {
		return ctx, func() {}
	}
	stop := activity.GetWorkerStopChannel(ctx)
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-ctx.Done():
			return
		case <-stop:
		}
		timer := time.NewTimer(r.StopGrace)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
			cancel()
		}
	}()
	return ctx, cancel
}

// run is one attempt on its way.
type run struct {
	*Activities
	firing    picloud.Firing
	attempt   int               // counts from 1, the script's own attempts only
	startedAt time.Time         // of the first attempt; zero until the sandbox is reached for the first time
	clock     time.Time         // where the script's own clock begins, in its run of now
	seed      int64             // of its Math.random, in every run of the attempt
	hidden    *picloud.Redactor // of the run that ended: nothing of its secrets is kept
	local     bool
	silence   func() // ends the heartbeats; may be called again
}

func newRun(ctx context.Context, a *Activities, in RunScriptInput) *run {
	failed := in.Failed
	local := activity.GetInfo(ctx).IsLocalActivity
	if !local {
		// Not every earlier try of this activity was an attempt of the script (a worker that stops spoils its tries): the heartbeats know.
		var earlier Failure
		if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &earlier) == nil {
			failed = max(failed, earlier.Attempts)
		}
	}
	return &run{Activities: a, firing: in.Firing, attempt: failed + 1, startedAt: in.StartedAt, seed: a.seed(), local: local}
}

func (r *run) do(ctx context.Context) (RunScriptResult, error) {
	opened, err := r.Journal.OpenExecution(ctx, r.firing)
	switch {
	case errors.Is(err, picloud.ErrScriptMissing):
		return r.refused(ctx, missing(r.firing))
	case isScriptError(err):
		e, _ := errors.AsType[*picloud.ScriptError](err)
		return r.refused(ctx, e)
	case err != nil:
		return r.fault(ctx, TypePlatformFault, fmt.Errorf("open execution: %w", err))
	case opened.Committed != nil:
		return r.end(ctx, *opened.Committed)
	}
	switch how, err := r.left(ctx); {
	case err != nil:
		return r.fault(ctx, TypePlatformFault, fmt.Errorf("ask for the caller: %w", err))
	case how != "":
		end, err := r.cancelForCaller(ctx, how)
		if err != nil {
			return r.fault(ctx, TypePlatformFault, err)
		}
		return r.end(ctx, end)
	}
	r.firing.TraceParent = opened.Event.TraceParent
	for range MaxConflictRuns {
		began := r.now()
		if r.startedAt.IsZero() {
			r.startedAt = began
		}
		r.clock = began.Truncate(time.Microsecond).UTC() // as the database keeps it
		outcome, err := r.Sandbox.Run(ctx, r.sandboxRun(opened))
		if err != nil {
			return r.fault(ctx, TypePlatformFault, fmt.Errorf("run script: %w", err))
		}
		r.hidden = outcome.Hidden
		if outcome.Failure != nil {
			return r.failed(ctx, outcome, began)
		}
		committed, err := r.Journal.CommitExecution(ctx, r.firing, r.commit(picloud.StatusSucceeded, outcome))
		if errors.Is(err, picloud.ErrReadSetChanged) {
			continue
		}
		if errors.Is(err, picloud.ErrScriptMissing) { // deleted during the run
			return r.refused(ctx, missing(r.firing))
		}
		if e, ok := errors.AsType[*picloud.ScriptError](err); ok { // what the script did cannot be stored
			outcome.Failure = r.hidden.Error(e)
			return r.failed(ctx, outcome, began)
		}
		if err != nil {
			return r.fault(ctx, TypePlatformFault, fmt.Errorf("commit execution: %w", err))
		}
		return r.end(ctx, committed)
	}
	return r.fault(ctx, TypeReadSetContention, fmt.Errorf("commit execution: %d runs: %w", MaxConflictRuns, picloud.ErrReadSetChanged))
}

func isScriptError(err error) bool {
	_, ok := errors.AsType[*picloud.ScriptError](err)
	return ok
}

func (r *run) sandboxRun(opened picloud.Opened) picloud.Run {
	return picloud.Run{
		ExecutionID: r.firing.ExecutionID,
		AppID:       r.firing.AppID,
		App:         r.firing.App,
		Script:      r.firing.Script,
		Version:     r.firing.Version,
		Program:     opened.Program,
		Limits:      opened.Limits,
		Event:       opened.Event,
		Attempt:     r.attempt,
		FetchAllow:  opened.FetchAllow,
		May:         opened.Grant,
		Time:        r.clock,
		Seed:        r.seed,
	}
}

func (r *run) commit(status picloud.Status, outcome picloud.Outcome) picloud.Commit {
	return picloud.Commit{Status: status, Outcome: outcome, Attempt: r.attempt, StartedAt: r.startedAt, Clock: r.clock, Seed: r.seed}
}

// failed handles a failed script: an error for the caller who waits, or a kept attempt and the verdict on what follows.
func (r *run) failed(ctx context.Context, outcome picloud.Outcome, began time.Time) (RunScriptResult, error) {
	outcome.Failure = bounded(outcome.Failure)
	if r.firing.ReplyTo != "" {
		return r.answerFailure(ctx, outcome)
	}
	now := r.now()
	after, fatal := judge(r.firing, outcome.Failure, r.attempt, r.startedAt, now, r.random())
	err := r.Journal.RecordAttempt(ctx, r.firing, picloud.Attempt{
		Attempt: r.attempt, Error: outcome.Failure, Logs: outcome.Logs, StartedAt: began, FinishedAt: now, RetryAfter: after,
		Clock: r.clock, Seed: r.seed, Tape: outcome.Tape, CPU: outcome.Usage.CPU,
	})
	if err != nil {
		return r.fault(ctx, TypePlatformFault, fmt.Errorf("record attempt: %w", err))
	}
	failure := Failure{Error: outcome.Failure, Attempts: r.attempt, StartedAt: r.startedAt, RetryAfter: after}
	if fatal != nil {
		failure.Error = fatal
	}
	if !r.local {
		r.silence()
		activity.RecordHeartbeat(ctx, failure) // sent before the failure itself: a lost answer loses no attempt
	}
	return RunScriptResult{}, scriptFailure(failure, r.local)
}

// refused handles an execution whose script cannot run: no attempt is made of it.
func (r *run) refused(ctx context.Context, e *picloud.ScriptError) (RunScriptResult, error) {
	if r.firing.ReplyTo != "" {
		r.startedAt = r.now()
		return r.answerFailure(ctx, picloud.Outcome{Failure: e})
	}
	return RunScriptResult{}, scriptFailure(Failure{Error: e, Attempts: r.attempt - 1, StartedAt: r.startedAt}, true)
}

// answerFailure commits the failure for the caller who waits: who gets the error is the one who tries again.
func (r *run) answerFailure(ctx context.Context, outcome picloud.Outcome) (RunScriptResult, error) {
	committed, err := r.Journal.CommitExecution(ctx, r.firing, r.commit(picloud.StatusFailed, outcome))
	if errors.Is(err, picloud.ErrScriptMissing) { // its app is gone, and with it every place to keep the end: the caller is told all the same
		committed, err = picloud.Committed{Status: picloud.StatusFailed, Error: outcome.Failure}, nil
	}
	if err != nil {
		return r.fault(ctx, TypePlatformFault, fmt.Errorf("commit failed execution: %w", err))
	}
	return r.end(ctx, committed)
}

// end hands the committed end to the caller who waits, if any.
func (r *run) end(ctx context.Context, c picloud.Committed) (RunScriptResult, error) {
	small := RunScriptResult{End: picloud.Committed{Status: c.Status, Error: c.Error}}
	if r.firing.ReplyTo == "" {
		return small, nil
	}
	kept := c // only a caller in this process gets what the script made: all else is kept somewhere
	if c.Result != nil {
		result := r.hidden.Result(*c.Result)
		kept.Result = &result
	}
	if r.Inbox == nil {
		return RunScriptResult{End: kept}, nil
	}
	delivered := r.Inbox.Deliver(r.firing.ReplyTo, r.firing.ExecutionID, c)
	c = kept
	switch {
	case delivered == picloud.Delivered || c.Status == picloud.StatusCanceled: // nobody misses the end of what was canceled
		return small, nil
	case delivered == picloud.CallerGone:
		if err := r.Journal.RecordAbandoned(ctx, r.firing, c, 0); err != nil {
			return r.fault(ctx, TypePlatformFault, fmt.Errorf("record abandoned execution: %w", err))
		}
		return small, nil
	default:
		if err := r.Journal.RecordAbandoned(ctx, r.firing, c, elsewhereGrace); err != nil {
			return r.fault(ctx, TypePlatformFault, fmt.Errorf("record execution of another process's caller: %w", err))
		}
		r.sayEnded(ctx)
		if c.Result != nil && len(c.Result.Value)+len(bodyOf(c.Result)) > maxCarriedResult {
			return small, nil // the caller's process reads it from the record
		}
		return RunScriptResult{End: c}, nil
	}
}

// elsewhereGrace is how long the process of a caller has for taking the end over, before the execution counts as abandoned.
const elsewhereGrace = 10 * time.Second

// maxCarriedResult bounds, in bytes, the result that goes through Temporal's history to a caller in another process.
const maxCarriedResult = 64 << 10

func bodyOf(r *picloud.Result) []byte {
	if r.Response == nil {
		return nil
	}
	return r.Response.Body
}

// fault ends a try that the platform spoilt. Where the reason is that the workflow was canceled, it says so; an attempt that was stopped ends as its record says.
func (r *run) fault(ctx context.Context, kind string, err error) (RunScriptResult, error) {
	if errors.Is(context.Cause(ctx), errStopped) {
		return r.stopped(context.WithoutCancel(ctx))
	}
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) && !stopping(ctx) {
		return RunScriptResult{}, temporal.NewCanceledError()
	}
	return RunScriptResult{}, platformFault(kind, err, Failure{Attempts: r.attempt - 1}, r.local)
}

// stopped ends an attempt that was stopped. Where its execution has no end, its workflow was asked to end and is about to hear of it; should it not, it makes another attempt.
func (r *run) stopped(ctx context.Context) (RunScriptResult, error) {
	ctx, cancel := context.WithTimeout(ctx, stoppedTimeout)
	defer cancel()
	opened, err := r.Journal.OpenExecution(ctx, r.firing)
	if err == nil && opened.Committed != nil {
		return r.end(ctx, *opened.Committed)
	}
	return RunScriptResult{}, platformFault(TypeStopped, errStopped, Failure{Attempts: r.attempt - 1}, false)
}

// stoppedTimeout bounds what is left to do of an attempt that was stopped.
const stoppedTimeout = 10 * time.Second

// stopping says whether this worker is on its way out: then a canceled context means that, not a canceled workflow.
func stopping(ctx context.Context) bool {
	select {
	case <-activity.GetWorkerStopChannel(ctx):
		return true
	default:
		return false
	}
}

// heartbeat tells the server that the attempt is alive, and hears from it of a cancellation, until silence is called. A local activity has no need:
// its workflow task is its heartbeat.
func (r *run) heartbeat(ctx context.Context) (silence func()) {
	if r.local {
		return func() {}
	}
	return beat(ctx, Failure{Attempts: r.attempt - 1, StartedAt: r.startedAt})
}

// beat sends the heartbeats of an activity that has a heartbeat timeout until silence is called.
func beat(ctx context.Context, details any) (silence func()) {
	every := activity.GetInfo(ctx).HeartbeatTimeout / 4
	if every <= 0 {
		return func() {}
	}
	activity.RecordHeartbeat(ctx, details)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				activity.RecordHeartbeat(ctx, details)
			}
		}
	}()
	return func() { cancel(); <-done }
}
