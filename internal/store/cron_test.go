package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/testkit"
)

func TestTickGivesItsFiringHoweverOften(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	script := testkit.Script(t, s, app, "report", "one", "two")
	config := picloud.CronConfig{Schedule: "0 3 * * *", Timezone: "Europe/Berlin", Overlap: picloud.OverlapBufferOne, CatchupWindow: time.Minute, Jitter: 5 * time.Second}
	trigger := testkit.Trigger(t, s, app, picloud.Trigger{Name: "nightly", Kind: picloud.KindCron, Script: "report", Cron: &config})
	assert.Equal(t, &config, trigger.Cron)
	all, err := s.CronTriggers(t.Context(), "")
	require.NoError(t, err)
	want := []picloud.CronTrigger{{ID: trigger.ID, App: "shop", Name: "nightly", Enabled: true, Config: config}}
	assert.Equal(t, want, all)
	one, err := s.CronTriggers(t.Context(), trigger.ID)
	require.NoError(t, err)
	assert.Equal(t, want, one)

	at := time.Date(2026, 11, 23, 3, 0, 4, 0, time.UTC)
	tick := picloud.Tick{TriggerID: trigger.ID, EventID: newID(), ExecutionID: newID(), ScheduledAt: at.Add(-4 * time.Second), At: at}
	for range 2 {
		f, err := s.OpenTick(t.Context(), tick)
		require.NoError(t, err)
		assert.Equal(t, &picloud.Firing{
			ExecutionID: tick.ExecutionID, AppID: app.ID, App: "shop", ScriptID: script.ScriptID, Script: "report", Version: 2, TriggerID: trigger.ID, Trigger: "nightly",
			Kind: picloud.KindCron, EventID: tick.EventID, What: "cron nightly 2026-11-23T03:00:00Z", RootID: tick.EventID, Depth: 1, MaxDepth: 16, Principal: "tester",
			Wall: 10 * time.Second, Retry: picloud.DefaultRetryPolicy, QueuedAt: at,
		}, f)
		opened, err := s.OpenExecution(t.Context(), *f)
		require.NoError(t, err)
		assert.Equal(t, picloud.TypeCronTick, opened.Event.Type)
		assert.Equal(t, "/apps/shop/cron/nightly", opened.Event.Source)
		assert.JSONEq(t, `{"scheduled_at":"2026-11-23T03:00:00Z","schedule":"0 3 * * *"}`, string(opened.Event.Data))
	}

	trigger.Enabled = false
	_, err = s.UpdateTrigger(t.Context(), trigger)
	require.NoError(t, err)
	f, err := s.OpenTick(t.Context(), tick)
	require.NoError(t, err)
	assert.Nil(t, f, "disabled")
	require.NoError(t, s.DeleteTrigger(t.Context(), app.ID, trigger.ID))
	f, err = s.OpenTick(t.Context(), tick)
	require.NoError(t, err)
	assert.Nil(t, f, "gone")
	all, err = s.CronTriggers(t.Context(), "")
	require.NoError(t, err)
	assert.Empty(t, all)
}
