package store_test

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store"
	"github.com/picloud/picloud/internal/testkit"
)

func subscribe(t *testing.T, s *store.Store, app picloud.App, name string, topic picloud.Glob) picloud.Trigger {
	t.Helper()
	return testkit.Trigger(t, s, app, picloud.Trigger{Name: name, Kind: picloud.KindPubSub, Script: "fulfil", PubSub: &picloud.PubSubConfig{Topic: topic}})
}

func publish(topic, data string) picloud.Effect {
	return picloud.Effect{Type: picloud.EffectTopicPublish, Topic: topic, Value: json.RawMessage(data)}
}

func TestPublishFiresEverySubscriptionOnce(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app, other := testkit.App(t, s, "shop"), testkit.App(t, s, "other")
	script := testkit.Script(t, s, app, "fulfil")
	testkit.Script(t, s, other, "fulfil")
	exact := subscribe(t, s, app, "exact", "orders.paid")
	all := subscribe(t, s, app, "all", "*")
	prefix := subscribe(t, s, app, "prefix", "orders.*")
	subscribe(t, s, app, "another", "orders")
	subscribe(t, s, other, "another", "*")
	off := subscribe(t, s, app, "off", "*")
	off.Enabled = false
	_, err := s.UpdateTrigger(t.Context(), off)
	require.NoError(t, err)

	published, err := s.Publish(t.Context(), app, "orders.paid", json.RawMessage(`{"n": 12345678901234567890}`), picloud.Origin{Principal: "ann", TraceParent: "trace"})
	require.NoError(t, err)
	require.Len(t, published.Executions, 3)
	firings := claim(t, s)
	var triggers, ids []string
	for _, f := range firings {
		triggers, ids = append(triggers, f.TriggerID), append(ids, f.ExecutionID)
		assert.Equal(t, picloud.Firing{
			ExecutionID: f.ExecutionID, AppID: app.ID, App: "shop", ScriptID: script.ScriptID, Script: "fulfil", Version: 1, TriggerID: f.TriggerID, Trigger: f.Trigger,
			Kind: picloud.KindPubSub, EventID: published.EventID, What: "topic orders.paid message", RootID: published.EventID, Depth: 1, MaxDepth: 16,
			Principal: "tester", Wall: 10 * time.Second, Retry: picloud.DefaultRetryPolicy, QueuedAt: f.QueuedAt,
		}, f)
	}
	assert.ElementsMatch(t, []string{exact.ID, all.ID, prefix.ID}, triggers)
	assert.ElementsMatch(t, published.Executions, ids)
	opened, err := s.OpenExecution(t.Context(), firings[0])
	require.NoError(t, err)
	assert.Equal(t, picloud.Event{
		SpecVersion: "1.0", ID: published.EventID, Source: "/apps/shop/pubsub/orders.paid", Type: picloud.TypeTopicMessage, Subject: "orders.paid", Time: opened.Event.Time,
		DataContentType: "application/json", Data: json.RawMessage(`{"n": 12345678901234567890}`), RootID: published.EventID, Depth: 1, TraceParent: "trace",
	}, opened.Event)

	nobody, err := s.Publish(t.Context(), other, "", json.RawMessage(`1`), nobody)
	require.NoError(t, err)
	assert.Len(t, nobody.Executions, 1, "the other app's star")
}

// What a run publishes is committed with its other effects, once, and the firings hang below it in the tree.
func TestCommitPublishesOnce(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	script := testkit.Script(t, s, app, "fulfil")
	subscribe(t, s, app, "all", "*")
	f := firing(app, script)
	outcome := picloud.Outcome{Effects: []picloud.Effect{publish("a", `1`), set("orders", "1", "1"), publish("a", `2`), publish("b", `null`)}}
	for range 2 {
		_, err := commit(t, s, f, outcome)
		require.NoError(t, err)
	}
	firings := claim(t, s)
	require.Len(t, firings, 3, "two messages on one topic are two")
	data := map[string]int{}
	for _, fired := range firings {
		assert.Equal(t, []string{f.RootID, f.ExecutionID, "2"}, []string{fired.RootID, fired.ParentID, strconv.Itoa(fired.Depth)})
		opened, err := s.OpenExecution(t.Context(), fired)
		require.NoError(t, err)
		assert.Equal(t, f.ExecutionID, opened.Event.ParentID)
		data[string(opened.Event.Data)]++
	}
	assert.Equal(t, map[string]int{"1": 1, "2": 1, "null": 1}, data)
	x, err := s.Execution(t.Context(), app.ID, f.ExecutionID)
	require.NoError(t, err)
	assert.Equal(t, outcome.Effects, x.Effects)

	// A commit that is refused publishes nothing.
	refused := firing(app, script)
	_, err = commit(t, s, refused, picloud.Outcome{
		Reads: picloud.ReadSet{Keys: []picloud.KeyRead{{Collection: "orders", Key: "1", Version: 0}}}, Effects: []picloud.Effect{publish("a", `3`)},
	})
	require.ErrorIs(t, err, picloud.ErrReadSetChanged)
	assert.Empty(t, claim(t, s))
}
