package workflows

import (
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/picloud/picloud/activities"
	"github.com/picloud/picloud/internal/picloud"
)

// Input is what an Execution starts with. Its JSON form is that of the Firing, with what an earlier run of the same workflow hands on.
type Input struct {
	picloud.Firing

	Carried *Progress `json:"carried,omitempty"`
}

// Progress is how far an Execution has come.
type Progress struct {
	Failed    int                  `json:"failed"` // attempts of the script; faults of the platform are none
	Faults    int                  `json:"faults"` // of the platform, in a row
	StartedAt time.Time            `json:"started_at,omitzero"`
	Last      *picloud.ScriptError `json:"last,omitempty"` // the script's last error
}

// Result is the end of an Execution that did not fail. Committed is set only when a caller in another process waits for it.
type Result struct {
	Status    picloud.Status     `json:"status"`
	Committed *picloud.Committed `json:"committed,omitempty"`
}

// Ended is the details of the error that an Execution fails with.
type Ended struct {
	Status       picloud.Status `json:"status"`
	Reason       picloud.Reason `json:"reason,omitempty"`
	DeadLetterID string         `json:"dead_letter_id,omitempty"`
	Attempts     int            `json:"attempts"`
}

// Execution runs one firing to its end: attempts until one commits, with the trigger's retry policy between them, then success or a dead letter.
// A dead letter, and an error for which a caller waits, end it as failed; a cancellation as canceled.
func Execution(ctx workflow.Context, in Input) (Result, error) {
	return setup(ctx, in).run(ctx)
}

// execution is one Execution on its way.
type execution struct {
	picloud.Firing
	Progress

	begun time.Time // of this run of the workflow
}

// outcome is what came of an attempt: one of ended, retry, dead, canceled. Durable steps will add a waiting one.
type outcome interface{ isOutcome() }

type (
	ended    struct{ picloud.Committed }      // the end is in the database
	retry    struct{ after time.Duration }    // there is another attempt
	dead     struct{ e *picloud.ScriptError } // there is none
	canceled struct{}                         // the workflow was asked to end
)

func (ended) isOutcome()    {}
func (retry) isOutcome()    {}
func (dead) isOutcome()     {}
func (canceled) isOutcome() {}

func setup(ctx workflow.Context, in Input) *execution {
	e := &execution{Firing: in.Firing, begun: workflow.Now(ctx)}
	if in.Carried != nil {
		e.Progress = *in.Carried
	}
	return e
}

func (e *execution) run(ctx workflow.Context) (Result, error) {
	switch cut := e.Cut(); {
	case cut != nil:
		return e.bury(ctx, cut)
	case e.Refusal != nil:
		return e.bury(ctx, e.Refusal)
	}
	for {
		switch o := e.attempt(ctx).(type) {
		case ended:
			return e.end(o.Committed)
		case dead:
			return e.bury(ctx, o.e)
		case canceled:
			return e.cancel(ctx)
		case retry:
			if e.pause(ctx, o.after) != nil {
				return e.cancel(ctx)
			}
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return Result{}, workflow.NewContinueAsNewError(ctx, ExecutionName, Input{Firing: e.Firing, Carried: &e.Progress})
		}
	}
}

// attempt makes the next attempt, or under Temporal's retry policy all that are left.
func (e *execution) attempt(ctx workflow.Context) outcome {
	if ctx.Err() != nil {
		return canceled{}
	}
	left := e.left(ctx)
	if left < 0 {
		return dead{activities.Expired(e.Firing, e.Last)}
	}
	var result activities.RunScriptResult
	if err := e.runScript(ctx, left).Get(ctx, &result); err != nil {
		return e.judge(ctx, err, left > 0)
	}
	return ended{result.End}
}

// runScript chooses how the attempt runs. Until the script has failed once, one attempt is one activity, since what follows depends on when it began.
func (e *execution) runScript(ctx workflow.Context, left time.Duration) workflow.Future {
	in := activities.RunScriptInput{Firing: e.Firing, Failed: e.Failed, StartedAt: e.StartedAt}
	if e.Failed == 0 && e.Faults == 0 && wall(e.Firing) <= picloud.LocalAttemptWall {
		return workflow.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, firstAttemptLocal(e.Firing)), activities.RunScriptName, in)
	}
	count := 1
	if e.Failed > 0 {
		count = max(e.Retry.MaximumAttempts-e.Failed, 1)
	}
	options := attempts(e.Firing, e.Failed, count, left)
	return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), activities.RunScriptName, in)
}

// judge says what follows a RunScript that gave an error; timed says that it ran under what maximum_duration had left.
func (e *execution) judge(ctx workflow.Context, err error, timed bool) outcome {
	if ctx.Err() != nil {
		return canceled{}
	}
	failure := activities.FailureOf(err)
	e.Failed = max(e.Failed, failure.Attempts)
	if e.StartedAt.IsZero() {
		e.StartedAt = failure.StartedAt
	}
	if failure.Error != nil {
		e.Faults, e.Last = 0, failure.Error
	}
	switch {
	case timed && timedOut(err):
		return dead{activities.Expired(e.Firing, e.Last)}
	case failure.Error == nil: // a fault of the platform
		e.Faults++
		return retry{faultPause(e.Faults)}
	case failure.RetryAfter > 0:
		return retry{failure.RetryAfter}
	default:
		return dead{failure.Error}
	}
}

// left is what maximum_duration leaves for further attempts: 0 = it sets no bound, less = nothing.
func (e *execution) left(ctx workflow.Context) time.Duration {
	if e.Retry.MaximumDuration <= 0 || e.StartedAt.IsZero() {
		return 0
	}
	left := e.StartedAt.Add(e.Retry.MaximumDuration).Sub(workflow.Now(ctx))
	if left == 0 {
		return -1
	}
	return left
}

// pause waits between attempts.
func (e *execution) pause(ctx workflow.Context, d time.Duration) error {
	summary := fmt.Sprintf("until attempt %d", e.Failed+1)
	if e.Faults > 0 {
		summary += ": the platform failed"
	}
	return workflow.NewTimerWithOptions(ctx, d, workflow.TimerOptions{Summary: summary}).Get(ctx, nil)
}

// bury leaves a dead letter. It is done even if a cancellation comes meanwhile.
func (e *execution) bury(ctx workflow.Context, fatal *picloud.ScriptError) (Result, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	ctx = workflow.WithActivityOptions(ctx, bookkeeping("dead letter: "+string(fatal.Reason)))
	in := activities.BuryExecutionInput{Firing: e.Firing, Error: *fatal, Attempts: e.Failed, StartedAt: e.started()}
	var buried activities.BuryExecutionResult
	if err := workflow.ExecuteActivity(ctx, activities.BuryExecutionName, in).Get(ctx, &buried); err != nil {
		return Result{}, err
	}
	if buried.End != nil {
		return e.end(*buried.End)
	}
	if buried.Error != nil {
		fatal = buried.Error
	}
	return Result{}, failure(fatal, Ended{Status: picloud.StatusDeadLettered, DeadLetterID: buried.DeadLetterID, Attempts: e.Failed})
}

// cancel ends the execution as canceled, unless its attempt had committed.
func (e *execution) cancel(ctx workflow.Context) (Result, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	ctx = workflow.WithActivityOptions(ctx, bookkeeping("canceled"))
	in := activities.CancelExecutionInput{Firing: e.Firing, StartedAt: e.started()}
	var result activities.CancelExecutionResult
	if err := workflow.ExecuteActivity(ctx, activities.CancelExecutionName, in).Get(ctx, &result); err != nil {
		return Result{}, err
	}
	return e.end(result.End)
}

// end closes the workflow the way the committed end says.
func (e *execution) end(c picloud.Committed) (Result, error) {
	switch c.Status {
	case picloud.StatusFailed, picloud.StatusDeadLettered:
		fatal := c.Error
		if fatal == nil {
			fatal = &picloud.ScriptError{Type: "Error", Message: string(c.Status)}
		}
		return Result{}, failure(fatal, Ended{Status: c.Status, Attempts: e.Failed + 1})
	case picloud.StatusCanceled:
		return Result{}, temporal.NewCanceledError()
	}
	result := Result{Status: c.Status}
	if c.Result != nil {
		result.Committed = &c
	}
	return result, nil
}

// failure is the error that the workflow fails with: red in the Temporal UI, under the script's own error class.
func failure(fatal *picloud.ScriptError, details Ended) error {
	details.Reason = fatal.Reason
	return temporal.NewApplicationErrorWithOptions(fatal.Message, fatal.Type, temporal.ApplicationErrorOptions{
		NonRetryable: true, Details: []any{details},
	})
}

// started is the start of the first attempt, as far as it is known here.
func (e *execution) started() time.Time {
	if e.StartedAt.IsZero() {
		return e.begun
	}
	return e.StartedAt
}

// timedOut says whether err is the end of what maximum_duration allows, and not the silence of a worker.
func timedOut(err error) bool {
	timeout, ok := errors.AsType[*temporal.TimeoutError](err)
	return ok && timeout.TimeoutType() == enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE
}
