package activities_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/activities"
	. "github.com/picloud/picloud/activities/activitiestest"
	"github.com/picloud/picloud/internal/picloud"
)

// Waiting implements picloud.Inbox.
func (i *inbox) Waiting(string, string) (picloud.Waiting, string) { return i.waiting, "p" }

// presence is that of one other process.
type presence struct {
	picloud.Presence

	present func() (bool, error)
}

func (p presence) Present(context.Context, string) (bool, error) { return p.present() }

func always(present bool) func() (bool, error) {
	return func() (bool, error) { return present, nil }
}

func hasty(in *activities.RunScriptInput) {
	in.Firing.ReplyTo, in.Firing.OnDisconnect, in.Firing.Trigger = "p/x", picloud.DisconnectCancels, "hasty"
}

func TestCallerWhoHasLeftBeforeTheScriptBegins(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		waiting picloud.Waiting
		present func() (bool, error)
		status  picloud.Status
		says    string
	}{
		"waits here":           {picloud.WaitsHere, always(false), picloud.StatusSucceeded, ""},
		"waits elsewhere":      {picloud.WaitsElsewhere, always(true), picloud.StatusSucceeded, ""},
		"has left":             {picloud.WaitsNoMore, always(true), picloud.StatusCanceled, "before the script began"},
		"has left with a node": {picloud.WaitsElsewhere, always(false), picloud.StatusCanceled, "the server process that it was connected to has ended"},
		"whose node connects to the database again": {picloud.WaitsElsewhere, func() func() (bool, error) {
			var looks atomic.Int32
			return func() (bool, error) { return looks.Add(1) > 1, nil }
		}(), picloud.StatusSucceeded, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			journal, sandbox := &Journal{}, &Sandbox{Script: Returns(`42`)}
			a := &activities.Activities{Journal: journal, Sandbox: sandbox, Inbox: &inbox{waiting: c.waiting}, Presence: presence{present: c.present}, Running: new(activities.Running)}
			result, err := runScript(t, a, input(hasty))
			require.NoError(t, err)
			assert.Equal(t, c.status, result.End.Status)
			if c.status == picloud.StatusCanceled {
				assert.Empty(t, sandbox.Runs(), "nothing runs")
				assert.Equal(t, "CallerLeft: the caller has left: "+c.says+"; on_disconnect of the trigger hasty is cancel", result.End.Error.Error())
			}
			assert.Empty(t, journal.Abandoned())
		})
	}
}

func TestWhoLeavesWithoutTheSettingIsNotAskedFor(t *testing.T) {
	t.Parallel()
	a := &activities.Activities{
		Journal: &Journal{}, Sandbox: &Sandbox{Script: Returns(`42`)}, Inbox: &inbox{waiting: picloud.WaitsNoMore, fate: picloud.CallerGone},
		Presence: presence{present: func() (bool, error) { t.Error("it is asked for"); return false, nil }},
	}
	result, err := runScript(t, a, input(replyTo("p/x")))
	require.NoError(t, err)
	assert.Equal(t, picloud.StatusSucceeded, result.End.Status)
}

// The process in which the caller waits dies while the script runs.
func TestCallerWhoseNodeDies(t *testing.T) {
	t.Parallel()
	looks := 0
	journal := &Journal{}
	a := &activities.Activities{
		Journal: journal, Sandbox: &Sandbox{Script: Hangs()}, Inbox: &inbox{waiting: picloud.WaitsElsewhere},
		Presence: presence{present: func() (bool, error) { looks++; return looks == 1, nil }}, Running: new(activities.Running),
	}
	result, err := runScript(t, a, input(hasty))
	require.NoError(t, err)
	assert.Equal(t, picloud.StatusCanceled, result.End.Status)
	assert.Empty(t, journal.Abandoned())
}

// An attempt that is stopped ends as its record says; where that has no end, its workflow decides.
func TestStop(t *testing.T) {
	t.Parallel()
	running, journal := new(activities.Running), &Journal{}
	sandbox := &Sandbox{}
	a := &activities.Activities{Journal: journal, Sandbox: sandbox, Running: running}
	sandbox.Script = func(ctx context.Context, _ picloud.Run) (picloud.Outcome, error) {
		running.Stop("another")
		require.NoError(t, ctx.Err())
		go running.Stop("x")
		<-ctx.Done()
		return picloud.Outcome{}, ctx.Err()
	}
	_, err := runScript(t, a, input())
	require.ErrorContains(t, err, "the execution was stopped")
	assert.Equal(t, activities.Failure{}, activities.FailureOf(err), "it is no attempt of the script")

	_, err = journal.CancelExecution(t.Context(), input().Firing, time.Now(), nil)
	require.NoError(t, err)
	sandbox.Script = func(context.Context, picloud.Run) (picloud.Outcome, error) {
		return picloud.Outcome{}, errors.New("it has an end: nothing runs")
	}
	result, err := runScript(t, a, input())
	require.NoError(t, err)
	assert.Equal(t, picloud.StatusCanceled, result.End.Status)
	running.Stop("x")
}
