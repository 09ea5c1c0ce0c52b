package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store"
	"github.com/picloud/picloud/internal/testkit"
)

// batcher is a trigger that takes the messages of the queue mail in batches.
func batcher(t *testing.T, s *store.Store, app picloud.App, c picloud.QueueConfig, attempts int) picloud.Trigger {
	t.Helper()
	c.Queue = "mail"
	retry := picloud.DefaultRetryPolicy
	retry.MaximumAttempts, retry.InitialInterval = attempts, time.Millisecond
	return testkit.Trigger(t, s, app, picloud.Trigger{Name: "mailer", Kind: picloud.KindQueue, Script: "fulfil", Queue: &c, Retry: &retry})
}

// sendAll sends one message for each text, and gives the executions by text.
func sendAll(t *testing.T, s *store.Store, app picloud.App, texts ...string) map[string]string {
	t.Helper()
	sent := map[string]string{}
	for _, text := range texts {
		sent[text] = send(t, s, app, picloud.QueueMessage{Queue: "mail", Data: json.RawMessage(fmt.Sprintf("%q", text))})
	}
	return sent
}

// contents gives the messages of a batch: ids by text, and the texts in their order.
func contents(t *testing.T, s *store.Store, f picloud.Firing) (ids map[string]string, texts []string) {
	t.Helper()
	opened, err := s.OpenExecution(t.Context(), f)
	require.NoError(t, err)
	require.Equal(t, picloud.TypeQueueBatch, opened.Event.Type)
	var messages []struct{ ID, Data string }
	require.NoError(t, json.Unmarshal(opened.Event.Data, &messages), string(opened.Event.Data))
	ids = map[string]string{}
	for _, m := range messages {
		ids[m.Data] = m.ID
		texts = append(texts, m.Data)
	}
	return ids, texts
}

// returning is a run that returns failed.
func returning(failed ...string) picloud.Outcome {
	value, _ := json.Marshal(map[string][]string{"failed": failed}) //nolint:errchkjson // strings
	return picloud.Outcome{Result: picloud.Result{Value: value}}
}

// claimEventually claims until there is something.
func claimEventually(t *testing.T, s *store.Store) []picloud.Firing {
	t.Helper()
	var got []picloud.Firing
	require.Eventually(t, func() bool { got = claim(t, s); return len(got) > 0 }, 30*time.Second, 5*time.Millisecond)
	return got
}

func TestBatchBeginsWhenItIsFullOrItsWindowIsOver(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	trigger := batcher(t, s, app, picloud.QueueConfig{BatchSize: 3, BatchWindow: time.Hour}, 1)
	sent := sendAll(t, s, app, "a", "b")
	assert.Empty(t, claim(t, s), "neither full nor old")
	in, waiting, err := s.NextDue(t.Context())
	require.NoError(t, err)
	assert.True(t, waiting)
	assert.InDelta(t, time.Hour.Seconds(), in.Seconds(), 60, "the window")
	sendAll(t, s, app, "c", "d")
	full := claim(t, s)
	require.Len(t, full, 1)
	_, texts := contents(t, s, full[0])
	assert.Equal(t, []string{"a", "b", "c"}, texts)
	assert.Empty(t, claim(t, s), "d waits for others")

	asked, err := s.Execution(t.Context(), app.ID, sent["a"])
	require.NoError(t, err)
	assert.Equal(t, full[0].ExecutionID, asked.ID, "who asks for the message is shown its batch")

	trigger.Queue.BatchWindow = 0
	_, err = s.UpdateTrigger(t.Context(), trigger)
	require.NoError(t, err)
	last := claim(t, s)
	require.Len(t, last, 1)
	_, texts = contents(t, s, last[0])
	assert.Equal(t, []string{"d"}, texts)

	// A trigger that takes no more batches gives what waits for them its own executions, and the other way round.
	trigger.Queue.BatchWindow = time.Hour
	trigger, err = s.UpdateTrigger(t.Context(), trigger)
	require.NoError(t, err)
	sent = sendAll(t, s, app, "e")
	assert.Empty(t, claim(t, s))
	trigger.Queue.BatchSize, trigger.Queue.BatchWindow = 0, 0
	_, err = s.UpdateTrigger(t.Context(), trigger)
	require.NoError(t, err)
	assert.Equal(t, []string{sent["e"]}, ids(claim(t, s)))
}

func TestBatchClosesEarlyAtTheLimitOfItsEvent(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	batcher(t, s, app, picloud.QueueConfig{BatchSize: 500}, 1)
	large := func(c string) string { return strings.Repeat(c, 400<<10) }
	sendAll(t, s, app, large("a"), large("b"), large("c"))
	firings := claim(t, s)
	require.Len(t, firings, 2)
	count := 0
	for _, f := range firings {
		_, texts := contents(t, s, f)
		count += len(texts)
	}
	assert.Equal(t, 3, count)
}

func TestMaxConcurrencyCountsBatches(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	batcher(t, s, app, picloud.QueueConfig{BatchSize: 2, MaxConcurrency: 1}, 1)
	sendAll(t, s, app, "a")
	first := claim(t, s)
	require.Len(t, first, 1)
	sendAll(t, s, app, "b", "c", "d")
	assert.Empty(t, claim(t, s))
	_, waiting, err := s.NextDue(t.Context())
	require.NoError(t, err)
	assert.False(t, waiting, "a dispatcher does not spin on it")
	finish(t, s, first...)
	second := claim(t, s)
	require.Len(t, second, 1)
	_, texts := contents(t, s, second[0])
	assert.Equal(t, []string{"b", "c"}, texts, "what has come meanwhile fills it")
}

// The messages of one ordering key make batches of their own, one at a time, and those that failed come before the next ones.
func TestBatchesKeepTheOrderOfAKey(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	batcher(t, s, app, picloud.QueueConfig{BatchSize: 2}, 3)
	for _, text := range []string{`"a"`, `"b"`, `"c"`} {
		send(t, s, app, picloud.QueueMessage{Queue: "mail", OrderingKey: "k", Data: json.RawMessage(text)})
	}
	sendAll(t, s, app, "free")
	var first picloud.Firing
	for _, f := range claim(t, s) {
		if _, texts := contents(t, s, f); texts[0] != "free" {
			assert.Equal(t, []string{"a", "b"}, texts)
			assert.Empty(t, first.ExecutionID, "one at a time")
			first = f
		} else {
			assert.Len(t, texts, 1)
		}
	}
	assert.Empty(t, claim(t, s))
	named, _ := contents(t, s, first)
	_, err := commit(t, s, first, returning(named["b"]))
	require.NoError(t, err)
	require.NoError(t, s.DeleteFirings(t.Context(), []string{first.ExecutionID}))
	again := claimEventually(t, s)
	_, texts := contents(t, s, again[0])
	assert.Equal(t, []string{"b"}, texts)
	assert.Len(t, again, 1, "c waits for b")
	finish(t, s, again...)
	_, texts = contents(t, s, claimEventually(t, s)[0])
	assert.Equal(t, []string{"c"}, texts)
}

// Of a batch those messages alone are tried again that failed, under the executions that their senders know; after the last attempt each leaves its own letter, whose replay fires it alone.
func TestFailedMessagesAloneAreTriedAgainAndBuried(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	batcher(t, s, app, picloud.QueueConfig{BatchSize: 10}, 2)
	sent := sendAll(t, s, app, "good", "bad", "worse")
	firings := claim(t, s)
	require.Len(t, firings, 1)
	f := firings[0]
	assert.Equal(t, 2, f.Retry.MaximumAttempts)
	named, _ := contents(t, s, f)

	for _, wrong := range []picloud.Outcome{returning("nobody"), {Result: picloud.Result{Value: json.RawMessage(`{"failed":"all"}`)}}} {
		wrong.Effects = []picloud.Effect{set("a", "b", "1")}
		_, err := commit(t, s, f, wrong)
		var fault *picloud.ScriptError
		require.ErrorAs(t, err, &fault)
		assert.Equal(t, "BatchResultError", fault.Type)
	}
	outcome := returning(named["bad"], named["worse"], named["bad"])
	for range 3 { // its completion is lost, twice
		end, err := commit(t, s, f, outcome)
		require.NoError(t, err)
		assert.Equal(t, picloud.StatusSucceeded, end.Status)
	}
	require.NoError(t, s.DeleteFirings(t.Context(), ids(firings)))

	second := claimEventually(t, s)
	require.Len(t, second, 1)
	assert.Equal(t, 1, second[0].Tried)
	assert.Equal(t, 1, second[0].Retry.MaximumAttempts, "what is left")
	again, texts := contents(t, s, second[0])
	assert.ElementsMatch(t, []string{"bad", "worse"}, texts)
	assert.Equal(t, named["bad"], again["bad"])
	for range 2 {
		_, err := commit(t, s, second[0], returning(again["worse"]))
		require.NoError(t, err)
	}
	require.NoError(t, s.DeleteFirings(t.Context(), ids(second)))
	assert.Empty(t, claim(t, s))

	letters, err := s.ListDeadLetters(t.Context(), app.ID, picloud.DeadLetterFilter{}, picloud.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, letters.Items, 1)
	letter := letterOf(t, s, app, letters.Items[0].ID)
	assert.Equal(t, []any{sent["worse"], picloud.KindQueue, 2, "MessageFailed"}, []any{letter.ExecutionID, letter.Kind, letter.Attempts, letter.Error.Type})
	buried, err := s.Execution(t.Context(), app.ID, sent["worse"])
	require.NoError(t, err)
	assert.Equal(t, picloud.StatusDeadLettered, buried.Status)

	// The replay, which fails once and then does not.
	_, err = s.ReplayDeadLetter(t.Context(), app.ID, letter.ID, picloud.Replay{Principal: "tester"})
	require.NoError(t, err)
	replay := claimEventually(t, s)
	require.Len(t, replay, 1)
	_, texts = contents(t, s, replay[0])
	assert.Equal(t, []string{"worse"}, texts)
	_, err = commit(t, s, replay[0], returning(named["worse"]))
	require.NoError(t, err)
	require.NoError(t, s.DeleteFirings(t.Context(), ids(replay)))
	third := claimEventually(t, s)
	require.Len(t, third, 1)
	once, texts := contents(t, s, third[0])
	assert.Equal(t, []string{"worse"}, texts)
	assert.Equal(t, []any{named["worse"], letter.ID}, []any{once["worse"], third[0].ReplayOf})
	finish(t, s, third...)
	assert.Empty(t, claim(t, s))
}

func TestBatchThatFailsLeavesALetterForEveryMessage(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	batcher(t, s, app, picloud.QueueConfig{BatchSize: 10}, 1)
	sent := sendAll(t, s, app, "a", "b")
	f := claim(t, s)[0]
	id := bury(t, s, f, broken)
	assert.NotEmpty(t, id)
	assert.Equal(t, id, bury(t, s, f, broken), "the same, when its completion is lost")
	letters, err := s.ListDeadLetters(t.Context(), app.ID, picloud.DeadLetterFilter{}, picloud.Page{Limit: 10})
	require.NoError(t, err)
	var got []string
	for _, l := range letters.Items {
		got = append(got, l.ExecutionID)
	}
	assert.ElementsMatch(t, []string{sent["a"], sent["b"]}, got)
}

// With one place for all batches, what failed goes before what was sent later: the later ones may not take the place and wait behind it.
func TestFailedMessagesOfAKeyGetTheOnlyPlace(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	batcher(t, s, app, picloud.QueueConfig{BatchSize: 2, MaxConcurrency: 1}, 3)
	for _, text := range []string{`"a"`, `"b"`, `"c"`} {
		send(t, s, app, picloud.QueueMessage{Queue: "mail", OrderingKey: "k", Data: json.RawMessage(text)})
	}
	first := claim(t, s)
	require.Len(t, first, 1)
	named, _ := contents(t, s, first[0])
	_, err := commit(t, s, first[0], returning(named["b"]))
	require.NoError(t, err)
	require.NoError(t, s.DeleteFirings(t.Context(), ids(first)))
	for _, want := range []string{"b", "c"} {
		next := claimEventually(t, s)
		_, texts := contents(t, s, next[0])
		assert.Equal(t, []string{want}, texts)
		finish(t, s, next...)
	}
}
