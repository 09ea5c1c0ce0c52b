package store_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store"
	"github.com/picloud/picloud/internal/testkit"
)

// attend makes a store's process present until the test ends or leave is called, and gives what it is told to stop.
func attend(t *testing.T, s *store.Store) (leave func(), stopped func() []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	present := make(chan struct{})
	var (
		mutex sync.Mutex
		heard []string
		done  sync.WaitGroup
	)
	done.Go(func() {
		hear := func(what string) {
			mutex.Lock()
			defer mutex.Unlock()
			heard = append(heard, what)
		}
		err := s.Attend(ctx, picloud.Hearing{
			Present: func() { close(present) }, Stop: hear, Ended: func(appID, executionID string) { hear(executionID + " of " + appID + " has ended") },
		})
		assert.ErrorIs(t, err, context.Canceled)
	})
	<-present
	leave = func() { cancel(); done.Wait() }
	t.Cleanup(leave)
	return leave, func() []string {
		mutex.Lock()
		defer mutex.Unlock()
		return append([]string(nil), heard...)
	}
}

// A process is present for as long as one of its connections lasts, and every process hears what is to be stopped.
func TestPresence(t *testing.T) {
	t.Parallel()
	database := testkit.Database(t)
	one, other := testkit.StoreAt(t, database), testkit.StoreAt(t, database)
	is := func(process string) bool {
		t.Helper()
		present, err := other.Present(t.Context(), process)
		require.NoError(t, err)
		return present
	}
	assert.False(t, is(one.Process()))
	leave, stopped := attend(t, one)
	_, stoppedToo := attend(t, other)
	assert.True(t, is(one.Process()))
	assert.True(t, is(other.Process()))
	assert.False(t, is("c"))
	require.NoError(t, one.StopRuns(t.Context(), "x", "y"))
	for _, heard := range []func() []string{stopped, stoppedToo} {
		testkit.Until(t, time.Minute, "it is heard", func() bool { return len(heard()) == 2 })
		assert.Equal(t, []string{"x", "y"}, heard())
	}
	require.NoError(t, other.SayEnded(t.Context(), one.Process(), "app", "z"))
	testkit.Until(t, time.Minute, "it is heard", func() bool { return len(stopped()) == 3 })
	assert.Equal(t, []string{"x", "y", "z of app has ended"}, stopped())
	assert.Len(t, stoppedToo(), 2, "no other process hears of it")
	leaveAgain, _ := attend(t, one)
	leave()
	assert.True(t, is(one.Process()), "it has connected again")
	leaveAgain()
	testkit.Until(t, time.Minute, "it is absent", func() bool { return !is(one.Process()) })
}

// Whoever comes first decides: the caller who has left, or the commit.
func TestCancelExecutionAgainstTheCommit(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	script := testkit.Script(t, s, app, "fulfil")
	why := &picloud.ScriptError{Type: "CallerLeft", Message: "it closed the connection"}
	firings := make([]picloud.Firing, 40)
	ends := make([][2]picloud.Status, len(firings)) // as told by the commit, and by the cancellation
	var done sync.WaitGroup
	for i := range firings {
		firings[i] = firing(app, script)
		f, end := firings[i], &ends[i]
		done.Go(func() {
			committed, err := s.CommitExecution(t.Context(), f, picloud.Commit{
				Status: picloud.StatusSucceeded, StartedAt: time.Now(), Attempt: 1, Outcome: picloud.Outcome{Effects: []picloud.Effect{set("done", f.ExecutionID, "1")}},
			})
			assert.NoError(t, err)
			end[0] = committed.Status
		})
		done.Go(func() {
			canceled, err := s.CancelExecution(t.Context(), f, time.Now(), why)
			assert.NoError(t, err)
			assert.Nil(t, canceled.Result)
			end[1] = canceled.Status
		})
	}
	done.Wait()
	count := map[picloud.Status]int{}
	for i, f := range firings {
		require.Equal(t, ends[i][0], ends[i][1], "both are told the same")
		count[ends[i][0]]++
		x, err := s.Execution(t.Context(), app.ID, f.ExecutionID)
		require.NoError(t, err)
		require.Equal(t, ends[i][0], x.Status)
		e, err := s.KVGet(t.Context(), app.ID, "done", f.ExecutionID)
		require.NoError(t, err)
		require.Equal(t, x.Status == picloud.StatusSucceeded, e.Version > 0, "nothing comes of what is canceled")
		if x.Status == picloud.StatusSucceeded {
			continue
		}
		require.Equal(t, why, x.Error)
	}
	t.Logf("%v", count)
}
