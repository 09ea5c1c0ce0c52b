package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/picloud/picloud/activities"
	"github.com/picloud/picloud/activities/activitiestest"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/workflows"
)

// bulkHarness is a harness for BulkReplay.
func bulkHarness(t *testing.T, bulk *activitiestest.Bulk, dry picloud.DryRunner) *harness {
	t.Helper()
	h := newHarness(t, nil)
	h.acts.Bulk, h.acts.DryRunner = bulk, dry
	h.RegisterWorkflowWithOptions(workflows.BulkReplay, workflow.RegisterOptions{Name: workflows.BulkReplayName})
	h.RegisterActivityWithOptions(h.acts.ReplayLetters, activity.RegisterOptions{Name: activities.ReplayLettersName})
	h.RegisterActivityWithOptions(h.acts.DryRunLetters, activity.RegisterOptions{Name: activities.DryRunLettersName})
	h.RegisterActivityWithOptions(h.acts.EndBulkReplay, activity.RegisterOptions{Name: activities.EndBulkReplayName})
	return h
}

// progressOf asks the workflow.
func (h *harness) progressOf(t *testing.T) (p activities.BulkProgress) {
	t.Helper()
	answer, err := h.QueryWorkflow(workflows.ProgressQuery)
	require.NoError(t, err)
	require.NoError(t, answer.Get(&p))
	return p
}

func TestBulkReplayGoesThroughAllPages(t *testing.T) {
	bulk := &activitiestest.Bulk{Letters: 250, Fault: func(calls int) error {
		if calls == 2 || calls == 3 {
			return errDown
		}
		return nil
	}}
	h := bulkHarness(t, bulk, nil)
	h.ExecuteWorkflow(workflows.BulkReplayName, workflows.BulkReplayInput{ID: "b"})
	require.NoError(t, h.GetWorkflowError())
	assert.Equal(t, activities.BulkProgress{Status: picloud.BulkCompleted, Total: 250, Replayed: 250, After: "letter-000250"}, h.progressOf(t))
	assert.Equal(t, 5, h.tries(activities.ReplayLettersName), "three pages and two faults")
	assert.Empty(t, h.timers, "no pace was asked for")
}

func TestBulkReplayKeepsItsPace(t *testing.T) {
	for name, c := range map[string]struct {
		rate    float64
		letters int
		took    time.Duration
		pages   int
	}{
		"slow": {rate: 0.5, letters: 4, took: 8 * time.Second, pages: 5},
		"ten":  {rate: 10, letters: 35, took: 3 * time.Second, pages: 4},
		"fast": {rate: 1000, letters: 250, took: 200 * time.Millisecond, pages: 3},
	} {
		t.Run(name, func(t *testing.T) {
			h := bulkHarness(t, &activitiestest.Bulk{Letters: c.letters}, nil)
			began := h.Now()
			h.ExecuteWorkflow(workflows.BulkReplayName, workflows.BulkReplayInput{ID: "b", Rate: c.rate})
			require.NoError(t, h.GetWorkflowError())
			assert.Equal(t, c.pages, h.tries(activities.ReplayLettersName))
			var waited time.Duration
			for _, d := range h.timers {
				waited += d
			}
			assert.InDelta(t, c.took.Seconds(), h.Now().Sub(began).Seconds(), 0.1)
			assert.LessOrEqual(t, waited, c.took)
		})
	}
}

func TestLongBulkReplayContinuesAsNew(t *testing.T) {
	bulk := &activitiestest.Bulk{Letters: 100_000}
	in := workflows.BulkReplayInput{ID: "b"}
	for runs := 1; ; runs++ {
		h := bulkHarness(t, bulk, nil)
		h.ExecuteWorkflow(workflows.BulkReplayName, in)
		var again *workflow.ContinueAsNewError
		if err := h.GetWorkflowError(); err == nil {
			assert.Equal(t, 4, runs)
			break
		} else {
			require.ErrorAs(t, err, &again)
		}
		assert.Equal(t, 300, h.tries(activities.ReplayLettersName))
		in.Progress = activities.BulkProgress{Status: picloud.BulkRunning, Total: 100_000, Replayed: int64(30_000 * runs), After: bulk.Row().After}
		require.Equal(t, in.Progress, h.progressOf(t))
	}
	assert.EqualValues(t, 100_000, bulk.Row().Replayed)
}

func TestCanceledBulkReplayEnds(t *testing.T) {
	bulk := &activitiestest.Bulk{Letters: 100}
	h := bulkHarness(t, bulk, nil)
	h.RegisterDelayedCallback(h.CancelWorkflow, 10*time.Second)
	h.ExecuteWorkflow(workflows.BulkReplayName, workflows.BulkReplayInput{ID: "b", Rate: 1})
	var canceled *temporal.CanceledError
	require.ErrorAs(t, h.GetWorkflowError(), &canceled)
	row := bulk.Row()
	assert.Equal(t, picloud.BulkCanceled, row.Status)
	assert.InDelta(t, 10, row.Replayed, 1)
}

// dryRunner fails every third letter, and finds a changed key in every fourth.
type dryRunner struct{ n int }

func (d *dryRunner) DryRunLetter(_ context.Context, _ string, _ picloud.DeadLetter, _ picloud.Replay) (picloud.DryResult, error) {
	d.n++
	switch {
	case d.n == 1:
		return picloud.DryResult{}, picloud.NotFoundError("version", "7")
	case d.n == 2:
		return picloud.DryResult{}, errDown
	case d.n%3 == 0:
		return picloud.DryResult{Outcome: picloud.Outcome{Failure: &typeError}}, nil
	}
	return picloud.DryResult{Effects: []picloud.EffectDiff{{Effect: picloud.Effect{Collection: "c", Key: "k"}, ChangedSinceFailure: d.n%4 == 0}}}, nil
}

func (d *dryRunner) DryRun(context.Context, picloud.Endpoint, picloud.Event, string, bool) (picloud.DryResult, error) {
	panic("not of letters")
}

func TestBulkDryRunReports(t *testing.T) {
	bulk := &activitiestest.Bulk{Letters: 100}
	dry := &dryRunner{n: 2}
	h := bulkHarness(t, bulk, dry)
	h.ExecuteWorkflow(workflows.BulkReplayName, workflows.BulkReplayInput{ID: "b", DryRun: true})
	require.NoError(t, h.GetWorkflowError())
	row := bulk.Row()
	assert.Equal(t, picloud.BulkCompleted, row.Status)
	assert.Equal(t, []int64{100, 66, 34, 17}, []int64{row.Replayed, row.Report.Pass, row.Report.Fail, row.Report.KeysChangedSince})
	assert.Len(t, row.Report.Failing, picloud.MaxBulkSamples)
	assert.Equal(t, []string{"c/k"}, row.Report.Changed[0].Keys)

	bulk = &activitiestest.Bulk{Letters: 2} // the first has no such version, the second breaks once: its page is run again
	h = bulkHarness(t, bulk, &dryRunner{})
	h.ExecuteWorkflow(workflows.BulkReplayName, workflows.BulkReplayInput{ID: "b", DryRun: true})
	require.NoError(t, h.GetWorkflowError())
	assert.Equal(t, []int64{1, 1}, []int64{bulk.Row().Report.Fail, bulk.Row().Report.Pass})
}
