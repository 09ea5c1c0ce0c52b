package activities_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/picloud/picloud/activities"
	. "github.com/picloud/picloud/activities/activitiestest"
	"github.com/picloud/picloud/internal/picloud"
)

var thrown = picloud.ScriptError{Reason: picloud.ReasonScriptError, Type: "TypeError", Message: "no"}

func input(change ...func(*activities.RunScriptInput)) activities.RunScriptInput {
	in := activities.RunScriptInput{Firing: picloud.Firing{
		ExecutionID: "x", Script: "fulfil", Version: 3, Retry: picloud.DefaultRetryPolicy,
	}}
	for _, c := range change {
		c(&in)
	}
	return in
}

func replyTo(address string) func(*activities.RunScriptInput) {
	return func(in *activities.RunScriptInput) { in.Firing.ReplyTo = address }
}

// inbox is one in which every delivery has the same fate.
type inbox struct {
	picloud.Inbox

	fate    picloud.DeliveryResult
	waiting picloud.Waiting
	got     []picloud.Delivery
}

func (i *inbox) Deliver(_, _ string, d picloud.Delivery) picloud.DeliveryResult {
	i.got = append(i.got, d)
	return i.fate
}

// runScript runs the activity as a normal one.
func runScript(t *testing.T, a *activities.Activities, in activities.RunScriptInput) (activities.RunScriptResult, error) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivityWithOptions(a.RunScript, activity.RegisterOptions{Name: activities.RunScriptName})
	value, err := env.ExecuteActivity(activities.RunScriptName, in)
	if err != nil {
		return activities.RunScriptResult{}, err
	}
	var result activities.RunScriptResult
	require.NoError(t, value.Get(&result))
	return result, nil
}

func TestDeliversAtTheCommit(t *testing.T) {
	for name, c := range map[string]struct {
		fate      picloud.DeliveryResult
		result    bool // travels in the activity's result
		abandoned bool
	}{
		"delivered":           {picloud.Delivered, false, false},
		"caller gone":         {picloud.CallerGone, false, true},
		"delivered elsewhere": {picloud.DeliveredElsewhere, true, true}, // unless the other process receives it
	} {
		t.Run(name, func(t *testing.T) {
			journal, in := &Journal{}, &inbox{fate: c.fate}
			a := &activities.Activities{Journal: journal, Sandbox: &Sandbox{Script: Returns(`42`)}, Inbox: in}
			result, err := runScript(t, a, input(replyTo("p/x")))
			require.NoError(t, err)
			assert.Equal(t, picloud.StatusSucceeded, result.End.Status)
			assert.Equal(t, c.result, result.End.Result != nil)
			assert.Len(t, journal.Abandoned(), map[bool]int{true: 1}[c.abandoned])
			require.Len(t, in.got, 1)
			assert.JSONEq(t, `42`, string(in.got[0].Result.Value))
		})
	}
}

func TestFailureIsCommittedForTheCaller(t *testing.T) {
	journal, in := &Journal{}, &inbox{}
	a := &activities.Activities{Journal: journal, Sandbox: &Sandbox{Script: Throws(thrown)}, Inbox: in}
	result, err := runScript(t, a, input(replyTo("p/x")))
	require.NoError(t, err)
	assert.Equal(t, picloud.StatusFailed, result.End.Status)
	assert.Equal(t, &thrown, in.got[0].Error)
	assert.Equal(t, &thrown, journal.Commit("x").Outcome.Failure)
}

func TestMissingScriptIsCommittedForTheCaller(t *testing.T) {
	a := &activities.Activities{Journal: &Journal{Missing: true}, Sandbox: &Sandbox{}}
	result, err := runScript(t, a, input(replyTo("p/x")))
	require.NoError(t, err)
	assert.Equal(t, picloud.ReasonScriptMissing, result.End.Error.Reason)
}

func TestAppDeletedDuringTheRun(t *testing.T) {
	journal := &Journal{Fault: func(method string) error {
		if method == "CommitExecution" {
			return picloud.ErrScriptMissing
		}
		return nil
	}}
	a := &activities.Activities{Journal: journal, Sandbox: &Sandbox{Script: Returns(`1`)}}
	_, err := runScript(t, a, input())
	assert.Equal(t, picloud.ReasonScriptMissing, activities.FailureOf(err).Error.Reason)
	result, err := runScript(t, a, input(replyTo("p/x")))
	require.NoError(t, err)
	assert.Equal(t, picloud.ReasonScriptMissing, result.End.Error.Reason)
}

func TestFaultsNameNoScriptError(t *testing.T) {
	down := errors.New("down")
	for name, a := range map[string]*activities.Activities{
		"open":    {Journal: &Journal{Fault: failing("OpenExecution", down)}, Sandbox: &Sandbox{Script: Returns(`1`)}},
		"sandbox": {Journal: &Journal{}, Sandbox: &Sandbox{Script: Breaks(down)}},
		"commit":  {Journal: &Journal{Fault: failing("CommitExecution", down)}, Sandbox: &Sandbox{Script: Returns(`1`)}},
		"record":  {Journal: &Journal{Fault: failing("RecordAttempt", down)}, Sandbox: &Sandbox{Script: Throws(thrown)}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := runScript(t, a, input(func(in *activities.RunScriptInput) { in.Failed = 2 }))
			failure := activities.FailureOf(err)
			assert.Nil(t, failure.Error)
			assert.Equal(t, 2, failure.Attempts, "the try does not count")
			var e *temporal.ApplicationError
			require.ErrorAs(t, err, &e)
			assert.Equal(t, activities.TypePlatformFault, e.Type())
			assert.True(t, e.NonRetryable(), "the workflow tries again")
		})
	}
}

func TestContendedReadSetIsNamed(t *testing.T) {
	sandbox := &Sandbox{Script: Returns(`1`)}
	a := &activities.Activities{Journal: &Journal{Fault: failing("CommitExecution", picloud.ErrReadSetChanged)}, Sandbox: sandbox}
	_, err := runScript(t, a, input())
	var e *temporal.ApplicationError
	require.ErrorAs(t, err, &e)
	assert.Equal(t, activities.TypeReadSetContention, e.Type())
	assert.Len(t, sandbox.Runs(), activities.MaxConflictRuns)
}

func TestUnstorableOutcomeIsTheScriptsFault(t *testing.T) {
	unstorable := &picloud.ScriptError{Reason: picloud.ReasonPayloadInvalid, Type: "PayloadInvalid", Message: "no"}
	a := &activities.Activities{Journal: &Journal{Fault: failing("CommitExecution", unstorable)}, Sandbox: &Sandbox{Script: Returns(`1`)}}
	_, err := runScript(t, a, input())
	assert.Equal(t, unstorable, activities.FailureOf(err).Error)
}

func TestFailureCarriesItsDelay(t *testing.T) {
	a := &activities.Activities{Journal: &Journal{}, Sandbox: &Sandbox{Script: Throws(thrown)}, Random: func() float64 { return 0 }}
	_, err := runScript(t, a, input(func(in *activities.RunScriptInput) { in.Firing.Retry.Jitter = picloud.JitterFull }))
	var e *temporal.ApplicationError
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "TypeError", e.Type())
	assert.False(t, e.NonRetryable())
	assert.Equal(t, time.Millisecond, e.NextRetryDelay(), "0 would mean that none is chosen")
	assert.Equal(t, time.Millisecond, activities.FailureOf(err).RetryAfter)
}

func TestTextsAreCut(t *testing.T) {
	long := picloud.ScriptError{Type: "E", Message: strings.Repeat("ä", picloud.MaxErrorMessage), Stack: strings.Repeat("x", 1<<20)}
	journal := &Journal{}
	a := &activities.Activities{Journal: journal, Sandbox: &Sandbox{Script: Throws(long)}}
	_, err := runScript(t, a, input())
	failure := activities.FailureOf(err)
	assert.LessOrEqual(t, len(failure.Error.Message), picloud.MaxErrorMessage)
	assert.Len(t, failure.Error.Stack, picloud.MaxErrorStack)
	assert.True(t, strings.HasPrefix(failure.Error.Message, "ää"))
	assert.Equal(t, failure.Error.Message, journal.Attempts("x")[0].Error.Message)
}

func failing(method string, err error) func(string) error {
	return func(called string) error {
		if called == method {
			return err
		}
		return nil
	}
}

// keeper counts what it is asked for.
type keeper struct{ partitions, garbage int }

func (k *keeper) MaintainPartitions(context.Context) error { k.partitions++; return nil }
func (k *keeper) CollectGarbage(context.Context) error     { k.garbage++; return nil }

func TestMaintainPartitions(t *testing.T) {
	k := &keeper{}
	require.NoError(t, (&activities.Activities{Keeper: k}).MaintainPartitions(t.Context()))
	assert.Equal(t, keeper{1, 1}, *k)
}
