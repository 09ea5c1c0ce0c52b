package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/testkit"
)

func TestClockAndSeedAreKept(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	f := firing(app, testkit.Script(t, s, app, "fulfil"))
	clock := time.Date(2026, 5, 6, 7, 8, 9, 123456000, time.UTC)
	require.NoError(t, s.RecordAttempt(t.Context(), f, picloud.Attempt{
		Attempt: 1, Error: &picloud.ScriptError{Type: "Error"}, StartedAt: clock, FinishedAt: clock, Clock: clock, Seed: -7,
	}))
	later := clock.Add(time.Second)
	_, err := s.CommitExecution(t.Context(), f, picloud.Commit{Status: picloud.StatusSucceeded, Attempt: 2, StartedAt: clock, Clock: later, Seed: 1 << 62})
	require.NoError(t, err)
	x, err := s.Execution(t.Context(), app.ID, f.ExecutionID)
	require.NoError(t, err)
	assert.Equal(t, later, x.Clock)
	assert.Equal(t, int64(1<<62), x.Seed)
	assert.Equal(t, clock, x.Attempts[0].Clock)
	assert.Equal(t, int64(-7), x.Attempts[0].Seed)

	f = firing(app, testkit.Script(t, s, app, "other"))
	_, err = s.CancelExecution(t.Context(), f, clock, nil)
	require.NoError(t, err)
	x, err = s.Execution(t.Context(), app.ID, f.ExecutionID)
	require.NoError(t, err)
	assert.True(t, x.Clock.IsZero(), "no script ran")
}

func TestFetchAllowReachesTheAttempt(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	assert.Empty(t, app.FetchAllow)
	f := firing(app, testkit.Script(t, s, app, "fulfil"))
	list := []string{"*.example.com", "10.0.0.0/8:443"}
	changed, err := s.SetFetchAllow(t.Context(), "shop", list)
	require.NoError(t, err)
	assert.Equal(t, list, changed.FetchAllow)
	opened, err := s.OpenExecution(t.Context(), f)
	require.NoError(t, err)
	assert.Equal(t, list, opened.FetchAllow)
	e, err := s.Endpoint(t.Context(), "shop", "fulfil")
	require.NoError(t, err)
	assert.Equal(t, list, e.App.FetchAllow)
	changed, err = s.SetFetchAllow(t.Context(), "shop", nil)
	require.NoError(t, err)
	assert.Empty(t, changed.FetchAllow)
	_, err = s.SetFetchAllow(t.Context(), "none", list)
	assert.Equal(t, "app_not_found", picloud.ErrorCode(err))
}
