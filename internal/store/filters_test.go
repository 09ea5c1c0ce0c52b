package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store"
	"github.com/picloud/picloud/internal/testkit"
)

// filtered makes one trigger without a filter, one whose filter wants n > 1, and one whose filter reads a field that is never there.
func filtered(t *testing.T, s *store.Store, app picloud.App, of picloud.Trigger) (all, some, wrong picloud.Trigger) {
	t.Helper()
	trigger := func(name, filter string) picloud.Trigger {
		of.Name, of.Script, of.Filter = name, "fulfil", filter
		return testkit.Trigger(t, s, app, of)
	}
	return trigger("all", ""), trigger("some", "event.data.?value.?n.orValue(event.data.?n.orValue(0)) > 1"), trigger("wrong", "event.data.nothing > 1")
}

func TestOnlyEventsThatPassTheFilterFire(t *testing.T) {
	t.Parallel()
	one, two := json.RawMessage(`{"n":1}`), json.RawMessage(`{"n":2}`)
	queue := picloud.Trigger{Kind: picloud.KindQueue, Queue: &picloud.QueueConfig{Queue: "q", MaxConcurrency: 5}}
	keys := picloud.Trigger{Kind: picloud.KindKV, KV: &picloud.KVConfig{Collection: "c", Key: "*"}}
	topics := picloud.Trigger{Kind: picloud.KindPubSub, PubSub: &picloud.PubSubConfig{Topic: "t"}}
	commitWith := func(t *testing.T, s *store.Store, app picloud.App, e picloud.Effect) {
		t.Helper()
		f := firing(app, testkit.Script(t, s, app, "publisher"))
		_, err := commit(t, s, f, picloud.Outcome{Effects: []picloud.Effect{e}})
		require.NoError(t, err)
	}
	for name, c := range map[string]struct {
		trigger picloud.Trigger
		cause   func(t *testing.T, s *store.Store, app picloud.App, data json.RawMessage) (told []string)
		untold  bool // nobody is told the executions
	}{
		"publish": {trigger: topics, cause: func(t *testing.T, s *store.Store, app picloud.App, data json.RawMessage) []string {
			t.Helper()
			p, err := s.Publish(t.Context(), app, "t", data, nobody)
			require.NoError(t, err)
			return p.Executions
		}},
		"put": {trigger: keys, cause: func(t *testing.T, s *store.Store, app picloud.App, data json.RawMessage) []string {
			t.Helper()
			_, fired := put(t, s, app, "c", "k", string(data))
			return fired
		}},
		"send": {trigger: queue, cause: func(t *testing.T, s *store.Store, app picloud.App, data json.RawMessage) []string {
			t.Helper()
			p, err := s.Send(t.Context(), app, picloud.QueueMessage{Queue: "q", Data: data}, nobody)
			require.NoError(t, err)
			return p.Executions
		}},
		"effect publish": {trigger: topics, untold: true, cause: func(t *testing.T, s *store.Store, app picloud.App, data json.RawMessage) []string {
			t.Helper()
			commitWith(t, s, app, publish("t", string(data)))
			return nil
		}},
		"effect set": {trigger: keys, untold: true, cause: func(t *testing.T, s *store.Store, app picloud.App, data json.RawMessage) []string {
			t.Helper()
			commitWith(t, s, app, set("c", "k", string(data)))
			return nil
		}},
		"effect send": {trigger: queue, untold: true, cause: func(t *testing.T, s *store.Store, app picloud.App, data json.RawMessage) []string {
			t.Helper()
			commitWith(t, s, app, picloud.Effect{Type: picloud.EffectQueueSend, Queue: "q", Value: data})
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testkit.Store(t)
			app := testkit.App(t, s, "shop")
			testkit.Script(t, s, app, "fulfil")
			all, some, wrong := filtered(t, s, app, c.trigger)
			assert.Equal(t, "event.data.nothing > 1", wrong.Filter)
			for _, round := range []struct {
				data json.RawMessage
				want []string
			}{{one, []string{all.ID, wrong.ID}}, {two, []string{all.ID, some.ID, wrong.ID}}} {
				told := c.cause(t, s, app, round.data)
				firings := claim(t, s)
				var ids, triggers []string
				for _, f := range firings {
					ids, triggers = append(ids, f.ExecutionID), append(triggers, f.TriggerID)
					if f.TriggerID != wrong.ID {
						assert.Nil(t, f.Refusal)
						continue
					}
					require.NotNil(t, f.Refusal, "a filter without a value loses no event")
					assert.Equal(t, picloud.ReasonFilterError, f.Refusal.Reason)
					assert.Contains(t, f.Refusal.Message, "no such key: nothing")
				}
				assert.ElementsMatch(t, round.want, triggers)
				if !c.untold {
					assert.ElementsMatch(t, told, ids)
				}
				require.NoError(t, s.DeleteFirings(t.Context(), ids))
			}
		})
	}
}

// TestMakersDieBeforeTheySift: the row of an event whose maker died between its commit and the filter is sifted by the claim.
func TestMakersDieBeforeTheySift(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	s := testkit.StoreAt(t, url)
	app := testkit.App(t, s, "shop")
	testkit.Script(t, s, app, "fulfil")
	trigger := testkit.Trigger(t, s, app, picloud.Trigger{Name: "q", Kind: picloud.KindQueue, Script: "fulfil", Queue: &picloud.QueueConfig{Queue: "q", MaxConcurrency: 1}})
	db, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close(t.Context()) })
	var sent []string
	for _, data := range []string{`{"n":1}`, `{"n":2}`} {
		p, err := s.Send(t.Context(), app, picloud.QueueMessage{Queue: "q", Data: json.RawMessage(data)}, nobody)
		require.NoError(t, err)
		sent = append(sent, p.Executions...)
	}
	_, err = db.Exec(t.Context(), `UPDATE outbox SET filter = 'event.data.n > 1'`)
	require.NoError(t, err)

	require.Empty(t, claim(t, s), "the first is refused")
	firings := claim(t, s)
	require.Len(t, firings, 1, "its place in the queue is free")
	assert.Equal(t, []string{sent[1], trigger.ID}, []string{firings[0].ExecutionID, firings[0].TriggerID})
	assert.Nil(t, firings[0].Refusal)
	var left int
	require.NoError(t, db.QueryRow(t.Context(), `SELECT count(*) FROM outbox`).Scan(&left))
	assert.Equal(t, 1, left)
}

func TestRefusedHandlersDoNotCount(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	script := testkit.Script(t, s, app, "fulfil")
	testkit.Script(t, s, app, "handler")
	for name, filter := range map[string]string{"never": `event.data.attempts > 100`, "always": `event.data.script == "fulfil"`} {
		testkit.Trigger(t, s, app, picloud.Trigger{Name: name, Kind: picloud.KindDeadLetter, Script: "handler", DeadLetter: &picloud.DeadLetterConfig{}, Filter: filter})
	}
	id := bury(t, s, firing(app, script), broken)
	handlers := claim(t, s)
	require.Len(t, handlers, 1)
	assert.Equal(t, "always", handlers[0].Trigger)
	bury(t, s, handlers[0], broken)
	assert.Equal(t, picloud.HandlerFailed, letterOf(t, s, app, id).Resolution, "the only handler has failed")
}

func TestTicksPassTheFilter(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	testkit.Script(t, s, app, "report")
	trigger := testkit.Trigger(t, s, app, picloud.Trigger{
		Name: "first-monday", Kind: picloud.KindCron, Script: "report", Filter: `event.time.getDayOfMonth() < 7`,
		Cron: &picloud.CronConfig{Schedule: "0 3 * * mon", Overlap: picloud.OverlapSkip, CatchupWindow: time.Minute},
	})
	open := func(day int) *picloud.Firing {
		at := time.Date(2026, 11, day, 3, 0, 0, 0, time.UTC)
		f, err := s.OpenTick(t.Context(), picloud.Tick{TriggerID: trigger.ID, EventID: newID(), ExecutionID: newID(), ScheduledAt: at, At: at})
		require.NoError(t, err)
		return f
	}
	assert.NotNil(t, open(2))
	assert.Nil(t, open(9))
	trigger.Filter = "event.data.nothing"
	_, err := s.UpdateTrigger(t.Context(), trigger)
	require.NoError(t, err)
	f := open(2)
	require.NotNil(t, f)
	require.NotNil(t, f.Refusal)
	assert.Equal(t, picloud.ReasonFilterError, f.Refusal.Reason)
}
