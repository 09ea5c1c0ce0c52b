package store_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store"
)

// batchModel is what a trigger of batches should do: the messages that have not ended, by ordering key in the order of sending, and the firings that run.
type batchModel struct {
	waiting map[string][]string // texts by key
	tried   map[string]int      // attempts by text
	running map[string]batchRun // by execution
	ended   map[string]string   // how each message has ended, by text
}

// batchRun is a firing that runs, with its messages.
type batchRun struct {
	firing picloud.Firing
	key    string
	ids    map[string]string // by text
	texts  []string
}

// begin takes one claimed firing, and says what is wrong with it.
func (m *batchModel) begin(t *testing.T, s *store.Store, f picloud.Firing, size int) error {
	t.Helper()
	opened, err := s.OpenExecution(t.Context(), f)
	if err != nil {
		return err
	}
	run := batchRun{firing: f, key: opened.Event.PartitionKey, ids: map[string]string{}}
	var messages []struct{ ID, Data string }
	if opened.Event.Type == picloud.TypeQueueBatch {
		err = json.Unmarshal(opened.Event.Data, &messages)
	} else {
		messages = append(messages, struct{ ID, Data string }{ID: opened.Event.ID})
		err = json.Unmarshal(opened.Event.Data, &messages[0].Data)
	}
	if err != nil {
		return err
	}
	for _, message := range messages {
		run.ids[message.Data], run.texts = message.ID, append(run.texts, message.Data)
		if !slices.Contains(m.waiting[run.key], message.Data) {
			return fmt.Errorf("%s is not waiting", message.Data)
		}
		if m.tried[message.Data] != f.Tried {
			return fmt.Errorf("%s was tried %d times, its firing says %d", message.Data, m.tried[message.Data], f.Tried)
		}
	}
	for _, other := range m.running {
		if run.key != "" && other.key == run.key {
			return fmt.Errorf("two of key %q run", run.key)
		}
		for _, text := range run.texts {
			if slices.Contains(other.texts, text) {
				return fmt.Errorf("%s runs twice", text)
			}
		}
	}
	if first := m.waiting[run.key]; run.key != "" && !slices.Equal(first[:min(len(first), len(run.texts))], run.texts) {
		return fmt.Errorf("key %q: %v begin, %v are first", run.key, run.texts, first)
	}
	if len(run.texts) > size {
		return fmt.Errorf("%d messages in a batch of at most %d", len(run.texts), size)
	}
	m.running[f.ExecutionID] = run
	return nil
}

// end ends a message; again leaves it waiting.
func (m *batchModel) end(key, text, how string) {
	m.waiting[key] = slices.DeleteFunc(m.waiting[key], func(s string) bool { return s == text })
	m.ended[text] = how
}

// Whatever is sent, claimed and ended when and how, and however the trigger is changed meanwhile: every message ends once, what failed alone is tried again, messages of one key go in their order,
// one batch at a time, and max_concurrency holds.
func TestBatchesHoldUnderEverySchedule(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	const attempts, largest = 3, 4
	rounds := 0
	rapid.Check(t, func(r *rapid.T) {
		rounds++
		retry := picloud.DefaultRetryPolicy
		retry.MaximumAttempts, retry.InitialInterval = attempts, time.Millisecond
		most := rapid.SampledFrom([]int{0, 1, 2}).Draw(r, "max_concurrency")
		config := picloud.QueueConfig{Queue: fmt.Sprintf("q%d", rounds), BatchSize: largest, MaxConcurrency: most}
		trigger, err := s.CreateTrigger(t.Context(), picloud.Trigger{
			AppID: app.ID, Name: config.Queue, Kind: picloud.KindQueue, Script: "fulfil", Enabled: true, Queue: &config, Retry: &retry, RegisteredByPrincipal: "tester",
		})
		require.NoError(r, err)
		defer func() { require.NoError(t, s.DeleteTrigger(t.Context(), app.ID, trigger.ID)) }()
		m := &batchModel{waiting: map[string][]string{}, tried: map[string]int{}, running: map[string]batchRun{}, ended: map[string]string{}}
		sent := map[string]string{}
		change := func(edit func()) {
			edit()
			_, err := s.UpdateTrigger(t.Context(), trigger)
			require.NoError(r, err)
		}
		claimSome := func() int {
			firings := claimOf(t, s, trigger.ID)
			for _, f := range firings {
				require.NoError(r, m.begin(t, s, f, largest))
			}
			if most > 0 {
				require.LessOrEqual(r, len(m.running), most)
			}
			return len(firings)
		}
		finishOne := func(id, how string, failed []string) {
			run := m.running[id]
			switch how {
			case "commit":
				var named []string
				for _, text := range failed {
					named = append(named, run.ids[text])
				}
				outcome := picloud.Outcome{}
				if named != nil {
					outcome = returning(named...)
				}
				for range 2 { // its completion is lost
					_, err := commit(t, s, run.firing, outcome)
					require.NoError(r, err)
				}
				for _, text := range run.texts {
					m.tried[text]++
					switch {
					case !slices.Contains(failed, text):
						m.end(run.key, text, "succeeded")
					case m.tried[text] >= attempts:
						m.end(run.key, text, "dead_lettered")
					}
				}
			case "bury":
				bury(t, s, run.firing, broken)
				for _, text := range run.texts {
					m.end(run.key, text, "dead_lettered")
				}
			default:
				_, err := s.CancelExecution(t.Context(), run.firing, time.Now(), nil)
				require.NoError(r, err)
				for _, text := range run.texts {
					m.end(run.key, text, "canceled")
				}
			}
			require.NoError(r, s.DeleteFirings(t.Context(), []string{id}))
			delete(m.running, id)
		}
		r.Repeat(map[string]func(*rapid.T){
			"send": func(r *rapid.T) {
				key := rapid.SampledFrom([]string{"", "a", "b"}).Draw(r, "key")
				text := fmt.Sprintf("m%d", len(sent))
				sent[text] = send(t, s, app, picloud.QueueMessage{
					Queue: config.Queue, OrderingKey: key, Priority: rapid.IntRange(-1, 1).Draw(r, "priority"), Data: json.RawMessage(fmt.Sprintf("%q", text)),
				})
				m.waiting[key] = append(m.waiting[key], text)
			},
			"claim": func(*rapid.T) { claimSome() },
			"end": func(r *rapid.T) {
				running := slices.Sorted(maps.Keys(m.running))
				if len(running) == 0 {
					r.Skip("nothing runs")
				}
				id := rapid.SampledFrom(running).Draw(r, "which")
				how := rapid.SampledFrom([]string{"commit", "commit", "commit", "bury", "cancel"}).Draw(r, "how")
				var failed []string
				for _, text := range m.running[id].texts {
					if m.running[id].firing.Batched && rapid.Bool().Draw(r, "failed") {
						failed = append(failed, text)
					}
				}
				finishOne(id, how, failed)
			},
			"batch_size": func(r *rapid.T) {
				change(func() { trigger.Queue.BatchSize = rapid.IntRange(0, largest).Draw(r, "batch_size") })
			},
			"enabled": func(r *rapid.T) { change(func() { trigger.Enabled = rapid.Bool().Draw(r, "enabled") }) },
		})
		change(func() { trigger.Enabled = true })
		for deadline := time.Now().Add(30 * time.Second); len(m.ended) < len(sent); {
			require.True(r, time.Now().Before(deadline), "these never go: %v", m.waiting)
			claimSome()
			for _, id := range slices.Sorted(maps.Keys(m.running)) {
				finishOne(id, "commit", nil)
			}
		}
		require.Zero(r, claimSome())
		letters, err := s.ListDeadLetters(t.Context(), app.ID, picloud.DeadLetterFilter{Trigger: trigger.ID}, picloud.Page{Limit: 500})
		require.NoError(r, err)
		buried := map[string]bool{}
		for _, l := range letters.Items {
			require.False(r, buried[l.ExecutionID], "two letters of one message")
			buried[l.ExecutionID] = true
		}
		for text, how := range m.ended {
			require.Equal(r, how == "dead_lettered", buried[sent[text]], "%s: %s", text, how)
		}
	})
}

// Messages that are left behind by a trigger that goes run, each as the batch of it alone that its script is written for.
func TestMessagesOfATriggerThatGoesRunAsBatchesOfOne(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	trigger := batcher(t, s, app, picloud.QueueConfig{BatchSize: 10, BatchWindow: time.Hour}, 3)
	sent := sendAll(t, s, app, "a", "b")
	require.NoError(t, s.DeleteTrigger(t.Context(), app.ID, trigger.ID))
	firings := claimEventually(t, s)
	require.ElementsMatch(t, []string{sent["a"], sent["b"]}, ids(firings))
	for _, f := range firings {
		named, texts := contents(t, s, f)
		require.Len(t, texts, 1)
		_, err := commit(t, s, f, returning(named[texts[0]]))
		require.NoError(t, err)
	}
	require.NoError(t, s.DeleteFirings(t.Context(), ids(firings)))
	again := claimEventually(t, s)
	_, texts := contents(t, s, again[0])
	require.Len(t, texts, 1, "what failed is tried again, without the trigger")
}

// A message that is too deep is cut alone: those that would be in one batch with it run.
func TestMessagesThatAreCutAreNotInABatchWithOthers(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	batcher(t, s, app, picloud.QueueConfig{BatchSize: 3, BatchWindow: time.Hour}, 1)
	sendAll(t, s, app, "a")
	_, err := s.Send(t.Context(), app, picloud.QueueMessage{Queue: "mail", Data: json.RawMessage(`"deep"`)}, picloud.Origin{Depth: 16, RootID: newID(), ExecutionID: newID()})
	require.NoError(t, err)
	sendAll(t, s, app, "b")
	cut := claim(t, s)
	require.Len(t, cut, 1)
	_, texts := contents(t, s, cut[0])
	require.Equal(t, []string{"deep"}, texts)
	require.Greater(t, cut[0].Depth, cut[0].MaxDepth)
	in, _, err := s.NextDue(t.Context())
	require.NoError(t, err)
	require.Greater(t, in, 50*time.Minute, "the others wait for their window")
	sendAll(t, s, app, "c")
	others := claim(t, s)
	require.Len(t, others, 1)
	_, texts = contents(t, s, others[0])
	require.Equal(t, []string{"a", "b", "c"}, texts)
}

// While dispatchers claim, people cancel messages and change batch_size: no message takes effect twice, none that was canceled does, and none is lost.
func TestBatchesAreMadeOfMessagesThatAreTheirs(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	trigger := batcher(t, s, app, picloud.QueueConfig{BatchSize: 5}, 1)
	const messages = 150
	var texts, executions []string
	for i := range messages {
		texts = append(texts, fmt.Sprintf("m%d", i))
		executions = append(executions, send(t, s, app, picloud.QueueMessage{Queue: "mail", Data: json.RawMessage(fmt.Sprintf("%q", texts[i])), OrderingKey: []string{"", "a", "b"}[i%3]}))
	}
	var mu sync.Mutex
	runs, canceled := map[string]int{}, map[string]bool{}
	settledAll := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(runs)+len(canceled) >= messages
	}
	run := func() error {
		firings, err := s.ClaimDue(t.Context(), 4, time.Minute)
		if err != nil {
			return err
		}
		for _, f := range firings {
			opened, err := s.OpenExecution(t.Context(), f)
			if err != nil {
				return err
			}
			if opened.Committed != nil { // canceled when it was claimed already
				continue
			}
			var list []struct{ Data string }
			if opened.Event.Type != picloud.TypeQueueBatch {
				list = make([]struct{ Data string }, 1)
				err = json.Unmarshal(opened.Event.Data, &list[0].Data)
			} else {
				err = json.Unmarshal(opened.Event.Data, &list)
			}
			if err != nil {
				return err
			}
			if _, err := s.CommitExecution(t.Context(), f, picloud.Commit{Status: picloud.StatusSucceeded, Attempt: 1, StartedAt: time.Now()}); err != nil {
				return err
			}
			if err := s.DeleteFirings(t.Context(), []string{f.ExecutionID}); err != nil {
				return err
			}
			mu.Lock()
			for _, m := range list {
				runs[m.Data]++
			}
			mu.Unlock()
		}
		return nil
	}
	group, ctx := errgroup.WithContext(t.Context())
	for range 3 {
		group.Go(func() error {
			for deadline := time.Now().Add(time.Minute); !settledAll(); {
				if time.Now().After(deadline) {
					mu.Lock()
					defer mu.Unlock()
					return fmt.Errorf("%d of %d messages have not gone", messages-len(runs)-len(canceled), messages)
				}
				if err := run(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		for i := 3; i < messages && ctx.Err() == nil; i += 7 {
			_, err := s.CancelQueued(t.Context(), app.ID, executions[i])
			if err != nil && picloud.ErrorCode(err) != "execution_not_found" {
				return err
			}
			if err != nil { // it has left the outbox
				continue
			}
			mu.Lock()
			canceled[texts[i]] = true
			mu.Unlock()
		}
		return nil
	})
	group.Go(func() error {
		change := trigger
		for size := 0; !settledAll() && ctx.Err() == nil; size = (size + 3) % 6 {
			config := *trigger.Queue
			config.BatchSize = size
			change.Queue = &config
			if _, err := s.UpdateTrigger(t.Context(), change); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, group.Wait())
	for _, text := range texts {
		if canceled[text] {
			require.Zero(t, runs[text], "%s was canceled", text)
		} else {
			require.Equal(t, 1, runs[text], text)
		}
	}
}
