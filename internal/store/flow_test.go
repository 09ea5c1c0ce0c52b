package store_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store"
	"github.com/picloud/picloud/internal/testkit"
)

// flowing is a shop whose trigger takes the topic of its own name, under flow control.
func flowing(t *testing.T, s *store.Store, app picloud.App, name string, flow picloud.Flow) picloud.Trigger {
	t.Helper()
	return testkit.Trigger(t, s, app, picloud.Trigger{Name: name, Kind: picloud.KindPubSub, Script: "fulfil", PubSub: &picloud.PubSubConfig{Topic: picloud.Glob(name)}, Flow: &flow})
}

// fire publishes to the trigger of that name, and gives the execution.
func fire(t *testing.T, s *store.Store, app picloud.App, name, data string) string {
	t.Helper()
	published, err := s.Publish(t.Context(), app, name, json.RawMessage(data), nobody)
	require.NoError(t, err)
	require.Len(t, published.Executions, 1)
	return published.Executions[0]
}

// finish ends executions.
func finish(t *testing.T, s *store.Store, firings ...picloud.Firing) {
	t.Helper()
	for _, f := range firings {
		_, err := commit(t, s, f, picloud.Outcome{})
		require.NoError(t, err)
	}
	require.NoError(t, s.DeleteFirings(t.Context(), ids(firings)))
}

func TestConcurrencyHoldsByKey(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	flowing(t, s, app, "orders", picloud.Flow{Concurrency: &picloud.FlowConcurrency{Limit: 2, Key: "event.data.customer"}})
	sent := map[string][]string{}
	for range 4 {
		for _, customer := range []string{"a", "b"} {
			sent[customer] = append(sent[customer], fire(t, s, app, "orders", fmt.Sprintf(`{"customer":%q}`, customer)))
		}
	}
	keyless := fire(t, s, app, "orders", `{}`)
	first := claim(t, s)
	assert.ElementsMatch(t, append(slices.Concat(sent["a"][:2], sent["b"][:2]), keyless), ids(first))
	assert.Empty(t, claim(t, s))
	_, waiting, err := s.NextDue(t.Context())
	require.NoError(t, err)
	assert.False(t, waiting, "what waits may not go: the end of an execution wakes the dispatchers")
	i := slices.IndexFunc(first, func(f picloud.Firing) bool { return f.ExecutionID == sent["a"][1] })
	finish(t, s, first[i])
	assert.Equal(t, []string{sent["a"][2]}, ids(claim(t, s)))
}

func TestThrottleMakesFiringsWait(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	const per = 400 * time.Millisecond
	flowing(t, s, app, "orders", picloud.Flow{Throttle: &picloud.FlowThrottle{Limit: 2, Per: per}})
	want := map[string]bool{}
	for range 6 {
		want[fire(t, s, app, "orders", `1`)] = true
	}
	var starts []time.Time
	testkit.Eventually(t, time.Minute, func() error {
		got := claim(t, s)
		now := time.Now()
		finish(t, s, got...)
		for _, f := range got {
			delete(want, f.ExecutionID)
			starts = append(starts, now)
		}
		if len(want) == 0 {
			return nil
		}
		in, waiting, err := s.NextDue(t.Context())
		require.NoError(t, err)
		assert.True(t, waiting)
		assert.LessOrEqual(t, in, per)
		return fmt.Errorf("%d wait", len(want))
	})
	for i := 2; i < len(starts); i++ {
		assert.GreaterOrEqual(t, starts[i].Sub(starts[i-2]), per-50*time.Millisecond, "two in a period; measured after the claims, whose times differ a little")
	}
}

func TestDebounceKeepsTheLast(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	trigger := flowing(t, s, app, "typed", picloud.Flow{Debounce: &picloud.FlowDebounce{Period: 500 * time.Millisecond, Key: "event.data.document"}})
	for _, claimBetween := range []bool{false, true} { // whether they meet in one admission, or the earlier ones wait in the lane
		var typed []string
		other := fire(t, s, app, "typed", `{"document":"other"}`)
		for i := range 5 {
			typed = append(typed, fire(t, s, app, "typed", fmt.Sprintf(`{"document":"d","letter":%d}`, i)))
			if claimBetween {
				require.Empty(t, claim(t, s))
			}
		}
		var got []picloud.Firing
		testkit.Eventually(t, time.Minute, func() error {
			if got = append(got, claim(t, s)...); len(got) < 2 {
				return fmt.Errorf("claimed %d", len(got))
			}
			return nil
		})
		assert.ElementsMatch(t, []string{other, typed[4]}, ids(got))
		finish(t, s, got...)
		for _, id := range typed[:4] {
			x, err := s.Execution(t.Context(), app.ID, id)
			require.NoError(t, err)
			assert.Equal(t, picloud.StatusCanceled, x.Status)
			require.NotNil(t, x.Error)
			assert.Equal(t, "Debounced", x.Error.Type)
			assert.Contains(t, x.Error.Message, "execution ")
		}
	}
	dropped, err := s.ListExecutions(t.Context(), app.ID, picloud.ExecutionFilter{Status: picloud.StatusCanceled, Trigger: trigger.Name}, picloud.Page{Limit: 50})
	require.NoError(t, err)
	assert.Len(t, dropped.Items, 8)
}

func TestDelayAndPriority(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	flowing(t, s, app, "late", picloud.Flow{Delay: time.Hour})
	flowing(t, s, app, "high", picloud.Flow{Priority: 50})
	flowing(t, s, app, "low", picloud.Flow{Priority: -50})
	flowing(t, s, app, "one", picloud.Flow{Priority: 10, Concurrency: &picloud.FlowConcurrency{Limit: 1}})
	subscribe(t, s, app, "free", "free")
	fire(t, s, app, "late", `1`)
	low, free, one, high := fire(t, s, app, "low", `1`), fire(t, s, app, "free", `1`), fire(t, s, app, "one", `1`), fire(t, s, app, "high", `1`)
	assert.Equal(t, []string{high, one, free, low}, ids(claim(t, s)))
	in, waiting, err := s.NextDue(t.Context())
	require.NoError(t, err)
	assert.True(t, waiting)
	assert.Greater(t, in, time.Second, "nothing is due but leases and what is late")
}

// Whatever is fired, claimed and ended when: no bound is ever passed, and everything goes in the end.
func TestFlowHoldsUnderEverySchedule(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		name := fmt.Sprintf("q%d", n)
		total, byKey := rapid.IntRange(1, 4).Draw(r, "max_concurrency"), rapid.IntRange(1, 2).Draw(r, "limit")
		trigger := testkit.Trigger(t, s, app, picloud.Trigger{
			Name: name, Kind: picloud.KindQueue, Script: "fulfil", Queue: &picloud.QueueConfig{Queue: name, MaxConcurrency: total},
			Flow: &picloud.Flow{Concurrency: &picloud.FlowConcurrency{Limit: byKey, Key: "event.data"}},
		})
		defer func() { require.NoError(t, s.DeleteTrigger(t.Context(), app.ID, trigger.ID)) }()
		l, group := newLane(), map[string]string{}
		claimSome := func() {
			require.NoError(r, l.begin(claimOf(t, s, trigger.ID), total))
			running := map[string]int{}
			for id := range l.running {
				running[group[id]]++
				require.LessOrEqual(r, running[group[id]], byKey, "of one key")
			}
		}
		end := func(id string) {
			finish(t, s, l.running[id])
			delete(l.running, id)
		}
		r.Repeat(map[string]func(*rapid.T){
			"send": func(r *rapid.T) {
				order, data := rapid.SampledFrom([]string{"", "x", "y"}).Draw(r, "ordering key"), rapid.SampledFrom([]string{`"a"`, `"b"`}).Draw(r, "data")
				id := send(t, s, app, picloud.QueueMessage{Queue: name, OrderingKey: order, Data: json.RawMessage(data)})
				l.sent[order], l.keys[id], group[id] = append(l.sent[order], id), order, data
			},
			"claim": func(*rapid.T) { claimSome() },
			"end": func(r *rapid.T) {
				if len(l.running) == 0 {
					r.Skip("nothing runs")
				}
				end(rapid.SampledFrom(sortedIDs(l.running)).Draw(r, "which"))
			},
		})
		for range l.keys {
			claimSome()
			for _, id := range sortedIDs(l.running) {
				end(id)
			}
		}
		claimSome()
		require.Empty(r, l.running)
		for key, sent := range l.sent {
			if key != "" {
				require.Equal(r, sent, l.begun[key], "key %q", key)
			}
		}
	})
}

func sortedIDs(running map[string]picloud.Firing) []string {
	list := make([]string, 0, len(running))
	for id := range running {
		list = append(list, id)
	}
	slices.Sort(list)
	return list
}
