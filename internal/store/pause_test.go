package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/testkit"
)

// Nothing of a paused app is handed out, in whatever way it waits; another app's is; and the resumption hands out all of it.
func TestPausedAppsWaitAndLoseNothing(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	shop, other := testkit.App(t, s, "shop"), testkit.App(t, s, "other")
	for _, app := range []picloud.App{shop, other} {
		testkit.Script(t, s, app, "fulfil")
		testkit.KVTrigger(t, s, app, "on-order", "fulfil", picloud.KVConfig{Collection: "*"}, nil)
		testkit.Trigger(t, s, app, picloud.Trigger{Name: "mail", Kind: picloud.KindQueue, Script: "fulfil", Queue: &picloud.QueueConfig{Queue: "mail", MaxConcurrency: 5}})
	}
	fire := func(app picloud.App, n int) {
		for i := range n {
			put(t, s, app, "orders", fmt.Sprint(i), "1")
		}
		_, err := s.Send(t.Context(), app, picloud.QueueMessage{Queue: "mail", Data: []byte("1")}, picloud.Origin{})
		require.NoError(t, err)
	}
	fire(shop, 3)
	paused, err := s.PauseApp(t.Context(), "shop", "ada")
	require.NoError(t, err)
	require.True(t, paused.Paused())
	again, err := s.PauseApp(t.Context(), "shop", "bob")
	require.NoError(t, err)
	assert.Equal(t, paused, again, "the first pause counts")
	fire(shop, 3)
	fire(other, 2)

	for _, f := range claim(t, s) {
		assert.Equal(t, "other", f.App, f.What)
	}
	_, waiting, err := s.NextDue(t.Context())
	require.NoError(t, err)
	assert.True(t, waiting, "the leases of the other app's")
	assert.Empty(t, claim(t, s))
	queued, err := s.ListExecutions(t.Context(), shop.ID, picloud.ExecutionFilter{Status: picloud.StatusQueued}, picloud.Page{Limit: 50})
	require.NoError(t, err)
	assert.Len(t, queued.Items, 8)

	resumed, err := s.ResumeApp(t.Context(), "shop")
	require.NoError(t, err)
	assert.False(t, resumed.Paused())
	var orders []string
	total := 0
	for _, f := range claim(t, s) {
		assert.Equal(t, "shop", f.App)
		total++
		if f.Kind == picloud.KindKV {
			orders = append(orders, f.What)
		}
	}
	assert.Equal(t, 8, total)
	assert.ElementsMatch(t, []string{"kv orders/0 created", "kv orders/1 created", "kv orders/2 created", "kv orders/0 updated", "kv orders/1 updated", "kv orders/2 updated"}, orders)
}

// However claims, pauses and resumptions meet, no firing stays behind.
func TestPausesAndClaimsMayMeet(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	testkit.Script(t, s, app, "fulfil")
	testkit.KVTrigger(t, s, app, "on-order", "fulfil", picloud.KVConfig{Collection: "*"}, nil)
	const firings = 200
	var mutex sync.Mutex
	claimed := map[string]int{}
	take := func() int {
		got, err := s.ClaimDue(t.Context(), 10, time.Hour)
		if !assert.NoError(t, err) {
			return 0
		}
		mutex.Lock()
		defer mutex.Unlock()
		for _, f := range got {
			claimed[f.ExecutionID]++
		}
		return len(claimed)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 60 {
				take()
			}
		})
	}
	wg.Go(func() {
		for i := range firings {
			put(t, s, app, "orders", fmt.Sprint(i), "1")
		}
	})
	wg.Go(func() {
		for range 40 {
			_, err := s.PauseApp(t.Context(), "shop", "ada")
			assert.NoError(t, err)
			_, err = s.ResumeApp(t.Context(), "shop")
			assert.NoError(t, err)
		}
	})
	wg.Wait()
	testkit.Until(t, 20*time.Second, "all are claimed", func() bool { return take() == firings })
	for id, n := range claimed {
		assert.Equal(t, 1, n, id)
	}
}

func TestPausedAppsHaveNoTicks(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	testkit.Script(t, s, app, "tick")
	trigger := testkit.Trigger(t, s, app, picloud.Trigger{Name: "often", Kind: picloud.KindCron, Script: "tick", Cron: &picloud.CronConfig{Schedule: "@every 1m", Overlap: picloud.OverlapSkip, CatchupWindow: time.Hour}})
	tick := picloud.Tick{TriggerID: trigger.ID, EventID: app.ID, ExecutionID: trigger.ID, ScheduledAt: time.Now(), At: time.Now()}
	f, err := s.OpenTick(t.Context(), tick)
	require.NoError(t, err)
	require.NotNil(t, f)
	_, err = s.PauseApp(t.Context(), "shop", "ada")
	require.NoError(t, err)
	f, err = s.OpenTick(t.Context(), tick)
	require.NoError(t, err)
	assert.Nil(t, f)
}
