package workflows_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/picloud/picloud/activities"
	. "github.com/picloud/picloud/activities/activitiestest"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/workflows"
)

func TestSucceedsInOneLocalActivity(t *testing.T) {
	h := newHarness(t, Returns(`{"large":"result"}`))
	h.run(t, firing())
	assert.Equal(t, workflows.Result{Status: picloud.StatusSucceeded}, h.result(t), "the result itself is in the database alone")
	assert.Equal(t, 1, h.local)
	assert.Empty(t, h.normal)
	assert.Empty(t, h.timers)
	commit := h.journal.Commit(executionID)
	assert.Equal(t, 1, commit.Attempt)
	assert.False(t, commit.StartedAt.IsZero())
}

func TestRetriesAsANormalActivity(t *testing.T) {
	h := newHarness(t, InTurn(Throws(typeError), Returns(`1`)))
	h.run(t, firing())
	assert.Equal(t, picloud.StatusSucceeded, h.result(t).Status)
	assert.Equal(t, 1, h.local)
	assert.Equal(t, []string{workflows.ScriptsTaskQueue + "/" + activities.RunScriptName}, h.normal)
	assert.Equal(t, []time.Duration{time.Second}, h.delays())
	commit := h.journal.Commit(executionID)
	assert.Equal(t, 2, commit.Attempt)
	assert.WithinDuration(t, h.begun, commit.StartedAt, 500*time.Millisecond, "of the first attempt")
	assert.Equal(t, []int{1, 2}, attemptsOf(h.sandbox.Runs()))
}

func TestExhaustionLeavesADeadLetter(t *testing.T) {
	h := newHarness(t, Throws(typeError))
	h.run(t, firing())
	failure, ended := h.failure(t)
	assert.Equal(t, "TypeError", failure.Type())
	assert.Equal(t, typeError.Message, failure.Message())
	assert.Equal(t, workflows.Ended{
		Status: picloud.StatusDeadLettered, Reason: picloud.ReasonScriptError, DeadLetterID: "letter-" + executionID, Attempts: 3,
	}, ended)
	assert.Equal(t, []time.Duration{time.Second, 2 * time.Second, 0}, h.delays(), "the series goes on where the first attempt left it")
	assert.GreaterOrEqual(t, h.Now().Sub(h.begun), 3*time.Second)
	letter := h.letter(t)
	assert.Equal(t, 3, letter.Attempts)
	assert.Equal(t, typeError, letter.Error)
	assert.Equal(t, []int{1, 2, 3}, attemptsOf(h.sandbox.Runs()))
	assert.Equal(t, 1, h.tries(activities.BuryExecutionName))
}

func TestNonRetryableDiesAtOnce(t *testing.T) {
	thrown := typeError
	thrown.NonRetryable = true
	for name, c := range map[string]struct {
		thrown picloud.ScriptError
		change func(*picloud.Firing)
	}{
		"by the script":                  {thrown, func(*picloud.Firing) {}},
		"by the trigger's error classes": {typeError, func(f *picloud.Firing) { f.Retry.NonRetryableErrors = []string{"RangeError", "TypeError"} }},
		"by a single attempt":            {typeError, func(f *picloud.Firing) { f.Retry.MaximumAttempts = 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, Throws(c.thrown))
			h.run(t, firing(c.change))
			_, ended := h.failure(t)
			assert.Equal(t, 1, ended.Attempts)
			assert.Equal(t, 1, h.letter(t).Attempts)
			assert.Len(t, h.sandbox.Runs(), 1)
			assert.Empty(t, h.timers)
		})
	}
}

func TestNonRetryableInALaterAttempt(t *testing.T) {
	thrown := typeError
	thrown.NonRetryable = true
	h := newHarness(t, InTurn(Throws(typeError), Throws(thrown)))
	h.run(t, firing(func(f *picloud.Firing) { f.Retry.MaximumAttempts = 10 }))
	assert.Equal(t, 2, h.letter(t).Attempts)
}

func TestRetryAfterIsHonoured(t *testing.T) {
	first, second := typeError, typeError
	first.RetryAfter, second.RetryAfter = 30*time.Second, 7*time.Second
	h := newHarness(t, InTurn(Throws(first), Throws(second), Returns(`1`)))
	h.run(t, firing())
	assert.Equal(t, picloud.StatusSucceeded, h.result(t).Status)
	assert.Equal(t, []time.Duration{30 * time.Second, 7 * time.Second}, h.delays())
	assert.Equal(t, 30*time.Second, h.timers[0])
	elapsed := h.Now().Sub(h.begun)
	assert.GreaterOrEqual(t, elapsed, 37*time.Second)
	assert.Less(t, elapsed, 39*time.Second)
}

func TestJitterTravelsFromTheActivity(t *testing.T) {
	for jitter, want := range map[picloud.Jitter][]time.Duration{
		picloud.JitterFull:  {2 * time.Second, 4 * time.Second, 0},
		picloud.JitterEqual: {3 * time.Second, 6 * time.Second, 0},
		picloud.JitterNone:  {4 * time.Second, 8 * time.Second, 0},
	} {
		t.Run(string(jitter), func(t *testing.T) {
			h := newHarness(t, Throws(typeError))
			h.run(t, firing(func(f *picloud.Firing) { f.Retry.Jitter, f.Retry.InitialInterval = jitter, 4*time.Second }))
			assert.Equal(t, want, h.delays())
			assert.Equal(t, want[0], h.timers[0])
			elapsed := h.Now().Sub(h.begun)
			assert.GreaterOrEqual(t, elapsed, want[0]+want[1])
			assert.Less(t, elapsed, want[0]+want[1]+2*time.Second)
		})
	}
}

func TestMaximumDurationExpires(t *testing.T) {
	for name, c := range map[string]struct {
		bound    time.Duration
		attempts int
	}{
		"before the second attempt": {500 * time.Millisecond, 1},
		"before the third":          {2500 * time.Millisecond, 2},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, Throws(typeError))
			h.run(t, firing(func(f *picloud.Firing) { f.Retry.MaximumAttempts, f.Retry.MaximumDuration = 100, c.bound }))
			failure, ended := h.failure(t)
			assert.Equal(t, "MaximumDurationExceeded", failure.Type())
			assert.Equal(t, picloud.ReasonExpired, ended.Reason)
			letter := h.letter(t)
			assert.Equal(t, picloud.ReasonExpired, letter.Error.Reason)
			assert.Contains(t, letter.Error.Message, "TypeError: undefined is not a function")
			assert.Equal(t, typeError.Stack, letter.Error.Stack)
			assert.Equal(t, c.attempts, letter.Attempts)
			assert.Equal(t, "TypeError", h.journal.Attempts(executionID)[c.attempts-1].Error.Type, "an attempt keeps its own error")
		})
	}
}

func TestMaximumDurationCutsARunningAttempt(t *testing.T) {
	h := newHarness(t, Throws(typeError))
	cut := temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, nil)
	h.OnActivity(activities.RunScriptName, mock.Anything, mock.MatchedBy(func(in activities.RunScriptInput) bool { return in.Failed == 1 })).
		Return(activities.RunScriptResult{}, cut)
	h.OnActivity(activities.RunScriptName, mock.Anything, mock.Anything).Return(h.acts.RunScript)
	h.run(t, firing(func(f *picloud.Firing) { f.Retry.MaximumDuration = time.Minute }))
	assert.Equal(t, picloud.ReasonExpired, h.letter(t).Error.Reason)
	assert.Contains(t, h.letter(t).Error.Message, "TypeError")
}

func TestDepthOverTheLimitIsCut(t *testing.T) {
	h := newHarness(t, Returns(`1`))
	h.run(t, firing(func(f *picloud.Firing) { f.Depth, f.MaxDepth = 7, 6 }))
	_, ended := h.failure(t)
	assert.Equal(t, picloud.ReasonDepthExceeded, ended.Reason)
	letter := h.letter(t)
	assert.Zero(t, letter.Attempts)
	assert.False(t, letter.StartedAt.IsZero())
	for _, word := range []string{"7", "6", "PICLOUD_MAX_TRIGGER_DEPTH"} {
		assert.Contains(t, letter.Error.Message, word)
	}
	assert.Empty(t, h.sandbox.Runs(), "nothing runs")
}

func TestRefusedFiringsLeaveADeadLetterAndRunNothing(t *testing.T) {
	h := newHarness(t, Returns(`1`))
	refusal := picloud.ScriptError{Reason: picloud.ReasonFilterError, Type: "FilterError", Message: "no such key: total", NonRetryable: true}
	h.run(t, firing(func(f *picloud.Firing) { f.Refusal = &refusal }))
	_, ended := h.failure(t)
	assert.Equal(t, picloud.ReasonFilterError, ended.Reason)
	assert.Equal(t, refusal, h.letter(t).Error)
	assert.Empty(t, h.sandbox.Runs(), "nothing runs")
}

func TestDepthAtTheLimitRuns(t *testing.T) {
	h := newHarness(t, Returns(`1`))
	h.run(t, firing(func(f *picloud.Firing) { f.Depth, f.MaxDepth = 6, 6 }))
	assert.Equal(t, picloud.StatusSucceeded, h.result(t).Status)
}

func TestPlatformFaultsAreNoAttempts(t *testing.T) {
	for name, faults := range map[string]int32{"within the local retries": 2, "beyond them": 5, "for long": 40} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, Returns(`1`))
			var calls atomic.Int32
			h.journal.Fault = func(method string) error {
				if method == "OpenExecution" && calls.Add(1) <= faults {
					return errDown
				}
				return nil
			}
			h.run(t, firing())
			assert.Equal(t, picloud.StatusSucceeded, h.result(t).Status)
			assert.Equal(t, 1, h.journal.Commit(executionID).Attempt)
			assert.Empty(t, h.journal.Attempts(executionID))
			if faults <= 2 {
				assert.Empty(t, h.normal)
			}
		})
	}
}

func TestPlatformFaultsBetweenAttempts(t *testing.T) {
	h := newHarness(t, InTurn(Throws(typeError), Breaks(errDown), Throws(typeError), Breaks(errDown), Breaks(errDown), Throws(typeError)))
	h.run(t, firing())
	_, ended := h.failure(t)
	assert.Equal(t, 3, ended.Attempts)
	assert.Equal(t, []time.Duration{time.Second, 2 * time.Second, 0}, h.delays())
	assert.Equal(t, []int{1, 2, 2, 3, 3, 3}, attemptsOf(h.sandbox.Runs()))
}

func TestSilentWorkerIsNoAttempt(t *testing.T) {
	for name, dies := range map[string]error{
		"before its first heartbeat": temporal.NewHeartbeatTimeoutError(),
		"in the run":                 temporal.NewHeartbeatTimeoutError(activities.Failure{Attempts: 1}),
		"in time's end":              temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, nil),
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, Throws(typeError))
			var tries atomic.Int32
			h.OnActivity(activities.RunScriptName, mock.Anything, mock.Anything).Return(
				func(ctx context.Context, in activities.RunScriptInput) (activities.RunScriptResult, error) {
					if in.Failed == 1 && tries.Add(1) == 1 {
						// The test environment knows no non-retryable timeouts, as the server does: TestWorkerDeath has the real thing.
						return activities.RunScriptResult{}, temporal.NewNonRetryableApplicationError("", "", dies)
					}
					return h.acts.RunScript(ctx, in)
				})
			h.run(t, firing())
			assert.Equal(t, 3, h.letter(t).Attempts)
			assert.Equal(t, []int{1, 2, 3}, attemptsOf(h.sandbox.Runs()))
		})
	}
}

func TestDeathAfterTheLastFailureWasRecorded(t *testing.T) {
	h := newHarness(t, Throws(typeError))
	last := typeError
	h.OnActivity(activities.RunScriptName, mock.Anything, mock.MatchedBy(func(in activities.RunScriptInput) bool { return in.Failed == 1 })).
		Return(activities.RunScriptResult{}, temporal.NewHeartbeatTimeoutError(activities.Failure{Error: &last, Attempts: 3}))
	h.OnActivity(activities.RunScriptName, mock.Anything, mock.Anything).Return(h.acts.RunScript)
	h.run(t, firing())
	assert.Equal(t, 3, h.letter(t).Attempts)
	assert.Len(t, h.sandbox.Runs(), 1, "no fourth attempt")
}

func TestWaitingCallerGetsTheError(t *testing.T) {
	h := newHarness(t, Throws(typeError))
	h.run(t, firing(func(f *picloud.Firing) { f.ReplyTo = "elsewhere/1" }))
	failure, ended := h.failure(t)
	assert.Equal(t, "TypeError", failure.Type())
	assert.Equal(t, picloud.StatusFailed, ended.Status)
	end, _ := h.journal.End(executionID)
	assert.Equal(t, picloud.StatusFailed, end.Status)
	assert.Empty(t, h.journal.Letters())
	assert.Empty(t, h.normal, "not retried")
	assert.Len(t, h.sandbox.Runs(), 1)
}

func TestCallerElsewhereGetsTheResultFromTheWorkflow(t *testing.T) {
	h := newHarness(t, Returns(`{"answer":42}`))
	h.run(t, firing(func(f *picloud.Firing) { f.ReplyTo = "elsewhere/1" }))
	result := h.result(t)
	require.NotNil(t, result.Committed)
	assert.JSONEq(t, `{"answer":42}`, string(result.Committed.Result.Value))
}

func TestLongScriptsAreNormalActivities(t *testing.T) {
	h := newHarness(t, InTurn(Throws(typeError), Throws(typeError), Returns(`1`)))
	h.run(t, firing(func(f *picloud.Firing) { f.Wall = time.Minute }))
	assert.Equal(t, picloud.StatusSucceeded, h.result(t).Status)
	assert.Zero(t, h.local)
	assert.Equal(t, []int{1, 2, 3}, attemptsOf(h.sandbox.Runs()))
	assert.Equal(t, []time.Duration{time.Second, 2 * time.Second}, h.delays())
}

func TestMissingScript(t *testing.T) {
	h := newHarness(t, Returns(`1`))
	h.journal.Missing = true
	h.run(t, firing())
	letter := h.letter(t)
	assert.Equal(t, picloud.ReasonScriptMissing, letter.Error.Reason)
	assert.Contains(t, letter.Error.Message, `version 3 of script "fulfil"`)
	assert.Zero(t, letter.Attempts)
	assert.Empty(t, h.sandbox.Runs())
}

func TestCommittedBeforeIsAnsweredFromTheRecord(t *testing.T) {
	for status, check := range map[picloud.Status]func(*testing.T, *harness){
		picloud.StatusSucceeded: func(t *testing.T, h *harness) { assert.Equal(t, picloud.StatusSucceeded, h.result(t).Status) },
		picloud.StatusFailed: func(t *testing.T, h *harness) {
			_, ended := h.failure(t)
			assert.Equal(t, picloud.StatusFailed, ended.Status)
		},
	} {
		t.Run(string(status), func(t *testing.T) {
			h := newHarness(t, Returns(`1`))
			_, err := h.journal.CommitExecution(t.Context(), firing().Firing, picloud.Commit{Status: status})
			require.NoError(t, err)
			h.run(t, firing())
			check(t, h)
			assert.Empty(t, h.sandbox.Runs(), "nothing runs twice")
		})
	}
}

func TestBuryingIsRetriedForEver(t *testing.T) {
	h := newHarness(t, Throws(typeError))
	var calls atomic.Int32
	h.journal.Fault = func(method string) error {
		if method == "BuryExecution" && calls.Add(1) <= 8 { // the test environment gives up at 10
			return errDown
		}
		return nil
	}
	h.run(t, firing())
	_, ended := h.failure(t)
	assert.Equal(t, h.letter(t).Attempts, ended.Attempts)
}

func TestGivenUpAttemptThatHadCommitted(t *testing.T) {
	h := newHarness(t, Throws(typeError))
	h.journal.Fault = func(method string) error {
		if method == "BuryExecution" {
			h.journal.Fault = nil
			_, err := h.journal.CommitExecution(context.Background(), firing().Firing, picloud.Commit{Status: picloud.StatusSucceeded})
			return err
		}
		return nil
	}
	h.run(t, firing())
	assert.Equal(t, picloud.StatusSucceeded, h.result(t).Status)
}

func TestContinuesAsNewWithItsProgress(t *testing.T) {
	h := newHarness(t, Throws(typeError))
	h.SetContinueAsNewSuggested(true)
	h.run(t, firing())
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, h.GetWorkflowError(), &next)
	assert.Equal(t, workflows.ExecutionName, next.WorkflowType.Name)
	var in workflows.Input
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &in))
	require.NotNil(t, in.Carried)
	assert.Equal(t, 1, in.Carried.Failed)
	assert.Equal(t, "TypeError", in.Carried.Last.Type)
	assert.Equal(t, executionID, in.ExecutionID)

	h = newHarness(t, Throws(typeError))
	h.run(t, in)
	assert.Equal(t, 3, h.letter(t).Attempts)
	assert.Equal(t, []int{2, 3}, attemptsOf(h.sandbox.Runs()))
	assert.Zero(t, h.local)
}

func TestChangedReadSetRunsAgainAtOnce(t *testing.T) {
	h := newHarness(t, Returns(`1`))
	var commits atomic.Int32
	h.journal.Fault = func(method string) error {
		if method == "CommitExecution" && commits.Add(1) <= 4 {
			return picloud.ErrReadSetChanged
		}
		return nil
	}
	h.run(t, firing())
	assert.Equal(t, picloud.StatusSucceeded, h.result(t).Status)
	assert.Equal(t, []int{1, 1, 1, 1, 1}, attemptsOf(h.sandbox.Runs()))
	assert.Empty(t, h.timers)
}

func TestInputIsAFiring(t *testing.T) {
	payload, err := converter.GetDefaultDataConverter().ToPayload(firing().Firing)
	require.NoError(t, err)
	var in workflows.Input
	require.NoError(t, converter.GetDefaultDataConverter().FromPayload(payload, &in))
	assert.Equal(t, firing(), in)
	assert.NotContains(t, string(payload.GetData()), "carried")
}

func attemptsOf(runs []picloud.Run) []int {
	attempts := make([]int, len(runs))
	for i, r := range runs {
		attempts[i] = r.Attempt
	}
	return attempts
}
