package workflows_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/picloud/picloud/activities"
	"github.com/picloud/picloud/activities/activitiestest"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/workflows"
)

// errDown is a fault of the platform.
var errDown = errors.New("database is away")

// harness runs the workflow Execution with the real activities on a journal in memory and scripts in Go, in skipped time.
type harness struct {
	*testsuite.TestWorkflowEnvironment

	journal activitiestest.Journal
	sandbox activitiestest.Sandbox
	acts    activities.Activities
	normal  []string // task queue/name of normal activities, at every try
	local   int      // local activities
	timers  []time.Duration
	begun   time.Time
}

func newHarness(t *testing.T, script activitiestest.Script) *harness {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	h := &harness{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment()}
	h.sandbox.Script = script
	h.acts = activities.Activities{Journal: &h.journal, Sandbox: &h.sandbox, Now: h.Now, Random: func() float64 { return 0.5 }}
	h.RegisterWorkflowWithOptions(workflows.Execution, workflow.RegisterOptions{Name: workflows.ExecutionName})
	h.RegisterActivityWithOptions(h.acts.RunScript, activity.RegisterOptions{Name: activities.RunScriptName})
	h.RegisterActivityWithOptions(h.acts.BuryExecution, activity.RegisterOptions{Name: activities.BuryExecutionName})
	h.RegisterActivityWithOptions(h.acts.CancelExecution, activity.RegisterOptions{Name: activities.CancelExecutionName})
	h.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		h.normal = append(h.normal, info.TaskQueue+"/"+info.ActivityType.Name)
	})
	h.SetOnLocalActivityStartedListener(func(*activity.Info, context.Context, []any) { h.local++ })
	h.SetOnTimerScheduledListener(func(_ string, d time.Duration) { h.timers = append(h.timers, d) })
	h.SetTestTimeout(30 * time.Second)
	return h
}

// run executes the workflow to its end.
func (h *harness) run(t *testing.T, in workflows.Input) {
	t.Helper()
	h.begun = h.Now()
	h.ExecuteWorkflow(workflows.ExecutionName, in)
	require.True(t, h.IsWorkflowCompleted())
}

// result is that of a workflow that ended well.
func (h *harness) result(t *testing.T) workflows.Result {
	t.Helper()
	require.NoError(t, h.GetWorkflowError())
	var r workflows.Result
	require.NoError(t, h.GetWorkflowResult(&r))
	return r
}

// failure is the error of a failed workflow, with its details.
func (h *harness) failure(t *testing.T) (*temporal.ApplicationError, workflows.Ended) {
	t.Helper()
	var e *temporal.ApplicationError
	require.ErrorAs(t, h.GetWorkflowError(), &e)
	var ended workflows.Ended
	require.NoError(t, e.Details(&ended))
	return e, ended
}

// letter is the one dead letter.
func (h *harness) letter(t *testing.T) activitiestest.Letter {
	t.Helper()
	letters := h.journal.Letters()
	require.Len(t, letters, 1)
	return letters[executionID]
}

// delays are those that the journal's failed attempts name.
func (h *harness) delays() []time.Duration {
	var delays []time.Duration
	for _, a := range h.journal.Attempts(executionID) {
		delays = append(delays, a.RetryAfter)
	}
	return delays
}

// tries counts the tries of normal activities with the name.
func (h *harness) tries(name string) int {
	n := 0
	for _, s := range h.normal {
		if s == workflows.ScriptsTaskQueue+"/"+name || s == workflows.TaskQueue+"/"+name {
			n++
		}
	}
	return n
}

const executionID = "0199aaaa-0000-7000-8000-000000000001"

// firing is one that is retried twice, after 1 s and 2 s; change alters it.
func firing(change ...func(*picloud.Firing)) workflows.Input {
	f := picloud.Firing{
		ExecutionID: executionID, AppID: "app-1", App: "shop", ScriptID: "script-1", Script: "fulfil", Version: 3, Trigger: "on-order",
		Kind: picloud.KindKV, EventID: "event-1", What: "kv orders/42 created", RootID: "event-1", Depth: 1, MaxDepth: 16,
		Principal: "tester", Wall: 10 * time.Second, Retry: picloud.DefaultRetryPolicy,
	}
	f.Retry.NonRetryableErrors = slices.Clone(f.Retry.NonRetryableErrors)
	for _, c := range change {
		c(&f)
	}
	return workflows.Input{Firing: f}
}

// typeError is an ordinary failure of a script.
var typeError = picloud.ScriptError{
	Reason: picloud.ReasonScriptError, Type: "TypeError", Message: "undefined is not a function", Stack: "at fulfil.ts:3:7",
}
