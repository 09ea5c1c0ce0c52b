package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	. "github.com/picloud/picloud/activities/activitiestest"
	"github.com/picloud/picloud/internal/picloud"
)

func TestCancel(t *testing.T) {
	for name, c := range map[string]struct {
		script Script
		change func(*picloud.Firing)
		after  time.Duration
	}{
		"between attempts":     {Throws(typeError), func(f *picloud.Firing) { f.Retry.InitialInterval = time.Minute }, 10 * time.Second},
		"in a local attempt":   {Hangs(), func(*picloud.Firing) {}, 0},
		"in a normal attempt":  {Hangs(), func(f *picloud.Firing) { f.Wall = time.Minute }, 0},
		"before anything runs": {Hangs(), func(*picloud.Firing) {}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, c.script)
			switch {
			case c.after > 0:
				h.RegisterDelayedCallback(h.CancelWorkflow, c.after)
			case c.after < 0:
				h.RegisterDelayedCallback(h.CancelWorkflow, 0)
			default:
				run := h.sandbox.Script
				h.sandbox.Script = func(ctx context.Context, r picloud.Run) (picloud.Outcome, error) {
					go h.CancelWorkflow()
					return run(ctx, r)
				}
			}
			h.run(t, firing(c.change))
			var canceled *temporal.CanceledError
			require.ErrorAs(t, h.GetWorkflowError(), &canceled)
			end, _ := h.journal.End(executionID)
			assert.Equal(t, picloud.StatusCanceled, end.Status)
			assert.Empty(t, h.journal.Letters())
		})
	}
}

func TestCancelAfterTheCommitStaysSucceeded(t *testing.T) {
	h := newHarness(t, nil)
	h.sandbox.Script = func(ctx context.Context, run picloud.Run) (picloud.Outcome, error) {
		_, err := h.journal.CommitExecution(ctx, firing().Firing, picloud.Commit{Status: picloud.StatusSucceeded})
		go h.CancelWorkflow()
		<-ctx.Done()
		return picloud.Outcome{}, errors.Join(err, ctx.Err())
	}
	h.run(t, firing())
	assert.Equal(t, picloud.StatusSucceeded, h.result(t).Status)
}
