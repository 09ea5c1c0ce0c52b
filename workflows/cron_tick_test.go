package workflows_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/workflow"

	"github.com/picloud/picloud/activities"
	"github.com/picloud/picloud/activities/activitiestest"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/workflows"
)

// trigger is picloud.Ticks of one trigger; without a firing it is disabled.
type trigger struct {
	picloud.Ticks

	firing *picloud.Firing
	asked  []picloud.Tick
	faults int // calls that fail first
}

func (c *trigger) OpenTick(_ context.Context, t picloud.Tick) (*picloud.Firing, error) {
	c.asked = append(c.asked, t)
	if len(c.asked) <= c.faults {
		return nil, errDown
	}
	if c.firing != nil {
		c.firing.ExecutionID, c.firing.EventID = t.ExecutionID, t.EventID
	}
	return c.firing, nil
}

func tick(t *testing.T, c *trigger, script activitiestest.Script) (*harness, workflows.CronTickResult) {
	t.Helper()
	h := newHarness(t, script)
	h.acts.Ticks = c
	h.RegisterWorkflowWithOptions(workflows.CronTick, workflow.RegisterOptions{Name: workflows.CronTickName})
	h.RegisterActivityWithOptions(h.acts.OpenTick, activity.RegisterOptions{Name: activities.OpenTickName})
	h.ExecuteWorkflow(workflows.CronTickName, workflows.CronTickInput{TriggerID: "t"})
	require.True(t, h.IsWorkflowCompleted())
	require.NoError(t, h.GetWorkflowError())
	var result workflows.CronTickResult
	require.NoError(t, h.GetWorkflowResult(&result))
	return h, result
}

func cronFiring() *picloud.Firing {
	retry := picloud.DefaultRetryPolicy
	retry.MaximumAttempts = 1
	return &picloud.Firing{Script: "report", Version: 1, Kind: picloud.KindCron, Depth: 1, MaxDepth: 16, Retry: retry, App: "shop", RootID: "r"}
}

func TestTickRunsItsExecution(t *testing.T) {
	c := &trigger{firing: cronFiring(), faults: 2}
	h, result := tick(t, c, activitiestest.Returns(`1`))
	end, ok := h.journal.End(result.ExecutionID)
	require.True(t, ok)
	assert.Equal(t, picloud.StatusSucceeded, end.Status)
	require.Len(t, c.asked, 3)
	assert.Equal(t, c.asked[0], c.asked[2], "asked again, it is the same tick")
	for _, id := range []string{c.asked[0].ExecutionID, c.asked[0].EventID} {
		parsed, err := uuid.Parse(id)
		require.NoError(t, err)
		assert.EqualValues(t, 7, parsed.Version())
		assert.Equal(t, uuid.RFC4122, parsed.Variant())
		seconds, _ := parsed.Time().UnixTime()
		assert.Equal(t, c.asked[0].At.Unix(), seconds)
	}
	assert.False(t, strings.EqualFold(c.asked[0].ExecutionID, c.asked[0].EventID))
}

func TestTickOfAFailedExecutionEndsWell(t *testing.T) {
	h, result := tick(t, &trigger{firing: cronFiring()}, activitiestest.Throws(picloud.ScriptError{Reason: picloud.ReasonScriptError, Type: "Error", Message: "no"}))
	assert.Contains(t, h.journal.Letters(), result.ExecutionID)
}

func TestTickOfADisabledTriggerDoesNothing(t *testing.T) {
	h, result := tick(t, &trigger{}, activitiestest.Returns(`1`))
	assert.Empty(t, result.ExecutionID)
	assert.Empty(t, h.sandbox.Runs())
}
