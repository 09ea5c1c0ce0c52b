package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store"
	"github.com/picloud/picloud/internal/testkit"
)

func consumer(t *testing.T, s *store.Store, app picloud.App, name, queue string, atATime int) picloud.Trigger {
	t.Helper()
	return testkit.Trigger(t, s, app, picloud.Trigger{Name: name, Kind: picloud.KindQueue, Script: "fulfil", Queue: &picloud.QueueConfig{Queue: queue, MaxConcurrency: atATime}})
}

func send(t *testing.T, s *store.Store, app picloud.App, m picloud.QueueMessage) string {
	t.Helper()
	if m.Data == nil {
		m.Data = json.RawMessage(`1`)
	}
	sent, err := s.Send(t.Context(), app, m, nobody)
	require.NoError(t, err)
	require.Len(t, sent.Executions, 1)
	return sent.Executions[0]
}

func ids(firings []picloud.Firing) []string {
	var list []string
	for _, f := range firings {
		list = append(list, f.ExecutionID)
	}
	return list
}

// shopWithQueue has an app with the script fulfil.
func shopWithQueue(t *testing.T) (*store.Store, picloud.App) {
	t.Helper()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	testkit.Script(t, s, app, "fulfil")
	return s, app
}

func TestMessagesGoByPriorityAndAge(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	trigger := consumer(t, s, app, "mailer", "mail", 1)
	_, err := s.Send(t.Context(), app, picloud.QueueMessage{Queue: "none", Data: json.RawMessage(`1`)}, nobody)
	assert.Equal(t, "queue_not_found", picloud.ErrorCode(err))

	first := send(t, s, app, picloud.QueueMessage{Queue: "mail", Data: json.RawMessage(`{"to":"a"}`)})
	second := send(t, s, app, picloud.QueueMessage{Queue: "mail"})
	urgent := send(t, s, app, picloud.QueueMessage{Queue: "mail", Priority: 5})
	last := send(t, s, app, picloud.QueueMessage{Queue: "mail", Priority: -5})
	send(t, s, app, picloud.QueueMessage{Queue: "mail", Delay: time.Hour, Priority: 100})
	for _, want := range []string{urgent, first, second, last} {
		firings := claim(t, s)
		require.Equal(t, []string{want}, ids(firings), "one at a time")
		assert.Empty(t, claim(t, s), "its slot is taken")
		f := firings[0]
		if want == first {
			assert.Equal(t, picloud.Firing{
				ExecutionID: first, AppID: app.ID, App: "shop", ScriptID: f.ScriptID, Script: "fulfil", Version: 1, TriggerID: trigger.ID, Trigger: "mailer",
				Kind: picloud.KindQueue, EventID: f.EventID, What: "queue mail message", RootID: f.EventID, Depth: 1, MaxDepth: 16,
				Slot: true, Principal: "tester", Wall: 10 * time.Second, Retry: picloud.DefaultRetryPolicy, QueuedAt: f.QueuedAt,
			}, f)
			opened, err := s.OpenExecution(t.Context(), f)
			require.NoError(t, err)
			assert.Equal(t, []string{picloud.TypeQueueMessage, "/apps/shop/queue/mail", "mail", `{"to":"a"}`},
				[]string{opened.Event.Type, opened.Event.Source, opened.Event.Subject, string(opened.Event.Data)})
		}
		_, err := commit(t, s, f, picloud.Outcome{})
		require.NoError(t, err)
		require.NoError(t, s.DeleteFirings(t.Context(), ids(firings)))
	}
	assert.Empty(t, claim(t, s), "the other one is not due")
	in, waiting, err := s.NextDue(t.Context())
	require.NoError(t, err)
	assert.True(t, waiting)
	assert.InDelta(t, time.Hour.Seconds(), in.Seconds(), 60)
}

func TestEveryEndGivesItsSlotBack(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, s *store.Store, f picloud.Firing){
		"committed": func(t *testing.T, s *store.Store, f picloud.Firing) {
			t.Helper()
			_, err := commit(t, s, f, picloud.Outcome{Effects: []picloud.Effect{set("a", "b", "1")}})
			require.NoError(t, err)
		},
		"buried": func(t *testing.T, s *store.Store, f picloud.Firing) { t.Helper(); bury(t, s, f, broken) },
		"canceled": func(t *testing.T, s *store.Store, f picloud.Firing) {
			t.Helper()
			_, err := s.CancelExecution(t.Context(), f, time.Now(), nil)
			require.NoError(t, err)
		},
		"canceled while queued": func(t *testing.T, s *store.Store, f picloud.Firing) {
			t.Helper()
			_, err := s.CancelQueued(t.Context(), f.AppID, f.ExecutionID)
			require.NoError(t, err)
		},
		"released by the keeper": func(t *testing.T, s *store.Store, f picloud.Firing) {
			t.Helper()
			silent, err := s.SilentSlots(t.Context(), 0, "", 10)
			require.NoError(t, err)
			assert.Empty(t, silent, "its workflow is not started yet")
			require.NoError(t, s.DeleteFirings(t.Context(), []string{f.ExecutionID}))
			silent, err = s.SilentSlots(t.Context(), 0, "", 10)
			require.NoError(t, err)
			assert.Equal(t, []picloud.Slot{{ExecutionID: f.ExecutionID, AppID: f.AppID}}, silent)
			none, err := s.SilentSlots(t.Context(), time.Hour, "", 10)
			require.NoError(t, err)
			assert.Empty(t, none, "younger")
			require.NoError(t, s.ReleaseSlot(t.Context(), f.ExecutionID))
			require.NoError(t, s.ReleaseSlot(t.Context(), f.ExecutionID))
		},
		// The dispatcher died after the start; the execution ends before its row is claimed again.
		"claimed again after its end": func(t *testing.T, s *store.Store, f picloud.Firing) {
			t.Helper()
			_, err := commit(t, s, f, picloud.Outcome{})
			require.NoError(t, err)
			require.NoError(t, s.RescheduleFirings(t.Context(), []string{f.ExecutionID}, 0))
			var again []string
			for _, f := range claim(t, s) {
				again = append(again, f.ExecutionID)
			}
			require.Equal(t, []string{f.ExecutionID}, again)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, app := shopWithQueue(t)
			consumer(t, s, app, "mailer", "mail", 1)
			send(t, s, app, picloud.QueueMessage{Queue: "mail", Priority: 1})
			second := send(t, s, app, picloud.QueueMessage{Queue: "mail"})
			first := claim(t, s)
			require.Len(t, first, 1)
			end(t, s, first[0])
			require.NoError(t, s.DeleteFirings(t.Context(), ids(first)))
			assert.Equal(t, []string{second}, ids(claim(t, s)))
		})
	}
}

func TestFailedStartKeepsItsSlotAndItsTurn(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	consumer(t, s, app, "mailer", "mail", 1)
	first := send(t, s, app, picloud.QueueMessage{Queue: "mail"})
	send(t, s, app, picloud.QueueMessage{Queue: "mail", Priority: 9})
	require.NoError(t, s.RescheduleFirings(t.Context(), []string{first}, 0))
	claimed := ids(claim(t, s))
	require.Len(t, claimed, 1)
	for range 3 {
		require.NoError(t, s.RescheduleFirings(t.Context(), claimed, 0))
		assert.Equal(t, claimed, ids(claim(t, s)), "the same one, which holds the slot")
	}
}

func TestDisabledQueueHoldsItsMessages(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	trigger := consumer(t, s, app, "mailer", "mail", 0)
	trigger.Enabled = false
	_, err := s.UpdateTrigger(t.Context(), trigger)
	require.NoError(t, err)
	want := []string{send(t, s, app, picloud.QueueMessage{Queue: "mail"}), send(t, s, app, picloud.QueueMessage{Queue: "mail"})}
	assert.Empty(t, claim(t, s))
	_, waiting, err := s.NextDue(t.Context())
	require.NoError(t, err)
	assert.False(t, waiting, "a dispatcher does not spin on it")
	trigger.Enabled = true
	_, err = s.UpdateTrigger(t.Context(), trigger)
	require.NoError(t, err)
	assert.ElementsMatch(t, want, ids(claim(t, s)))

	// What waits for a trigger that goes runs at once.
	other := consumer(t, s, app, "other", "slow", 1)
	waiting1, waiting2 := send(t, s, app, picloud.QueueMessage{Queue: "slow"}), send(t, s, app, picloud.QueueMessage{Queue: "slow"})
	require.NoError(t, s.DeleteTrigger(t.Context(), app.ID, other.ID))
	assert.ElementsMatch(t, []string{waiting1, waiting2}, ids(claim(t, s)))
}

// Four nodes claim and end; never do more than three run at a time, and each message runs once.
func TestMaxConcurrencyHoldsAcrossNodes(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	const atATime, messages = 3, 120
	consumer(t, s, app, "mailer", "mail", atATime)
	consumer(t, s, app, "free", "free", 0)
	for range messages {
		send(t, s, app, picloud.QueueMessage{Queue: "mail"})
	}
	var (
		mutex         sync.Mutex
		running, most int
		runs          = map[string]int{}
		wg            sync.WaitGroup
	)
	for range 4 {
		wg.Go(func() {
			for {
				firings, err := s.ClaimDue(t.Context(), 10, time.Hour)
				if !assert.NoError(t, err) {
					return
				}
				mutex.Lock()
				running += len(firings)
				most = max(most, running)
				for _, f := range firings {
					runs[f.ExecutionID]++
				}
				done := len(runs) == messages
				mutex.Unlock()
				for _, f := range firings {
					mutex.Lock()
					running-- // before the slot is free
					mutex.Unlock()
					_, err := s.CommitExecution(t.Context(), f, picloud.Commit{Status: picloud.StatusSucceeded, Attempt: 1, StartedAt: time.Now()})
					assert.NoError(t, err)
					assert.NoError(t, s.DeleteFirings(t.Context(), []string{f.ExecutionID}))
				}
				if done {
					return
				}
			}
		})
	}
	wg.Wait()
	assert.Len(t, runs, messages)
	for id, n := range runs {
		assert.Equal(t, 1, n, id)
	}
	assert.LessOrEqual(t, most, atATime)
	assert.Positive(t, most)
}

func TestCommitSendsOnce(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	consumer(t, s, app, "mailer", "mail", 0)
	script := testkit.Script(t, s, app, "fulfil")
	f := firing(app, script)
	message := func(queue, data string, delay time.Duration, priority int) picloud.Effect {
		return picloud.Effect{Type: picloud.EffectQueueSend, Queue: queue, Value: json.RawMessage(data), Delay: delay, Priority: priority}
	}
	outcome := picloud.Outcome{Effects: []picloud.Effect{message("mail", `1`, 0, 0), set("a", "b", "1"), message("mail", `2`, 0, 7), message("mail", `3`, time.Hour, 0)}}
	for range 2 {
		_, err := commit(t, s, f, outcome)
		require.NoError(t, err)
	}
	var data []string
	for _, fired := range claim(t, s) {
		assert.Equal(t, []string{f.RootID, f.ExecutionID, "2"}, []string{fired.RootID, fired.ParentID, strconv.Itoa(fired.Depth)})
		opened, err := s.OpenExecution(t.Context(), fired)
		require.NoError(t, err)
		data = append(data, string(opened.Event.Data))
	}
	slices.Sort(data)
	assert.Equal(t, []string{"1", "2"}, data, "the third is not due")
	x, err := s.Execution(t.Context(), app.ID, f.ExecutionID)
	require.NoError(t, err)
	assert.Equal(t, outcome.Effects, x.Effects)

	// A queue that nobody takes from is the script's fault: nothing of the run is kept.
	lost := firing(app, script)
	_, err = commit(t, s, lost, picloud.Outcome{Effects: []picloud.Effect{set("lost", "1", "1"), message("mail", `4`, 0, 0), message("mial", `5`, 0, 0)}})
	e, ok := errors.AsType[*picloud.ScriptError](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, "QueueNotFoundError", e.Type)
	assert.Contains(t, e.Message, `"mial"`)
	entry, err := s.KVGet(t.Context(), app.ID, "lost", "1")
	require.NoError(t, err)
	assert.Zero(t, entry.Version)
	assert.Empty(t, claim(t, s), fmt.Sprint(lost))
}

func TestReplayedMessageWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	consumer(t, s, app, "mailer", "mail", 1)
	send(t, s, app, picloud.QueueMessage{Queue: "mail"})
	failed := claim(t, s)
	id := bury(t, s, failed[0], broken)
	require.NoError(t, s.DeleteFirings(t.Context(), ids(failed)))
	next := send(t, s, app, picloud.QueueMessage{Queue: "mail", Priority: 1})
	replay, err := s.ReplayDeadLetter(t.Context(), app.ID, id, picloud.Replay{Principal: "ann"})
	require.NoError(t, err)
	first := claim(t, s)
	require.Equal(t, []string{next}, ids(first))
	_, err = commit(t, s, first[0], picloud.Outcome{})
	require.NoError(t, err)
	require.NoError(t, s.DeleteFirings(t.Context(), ids(first)))
	assert.Equal(t, []string{replay}, ids(claim(t, s)))
}
