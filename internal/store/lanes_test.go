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

// lane follows what leaves the lane of one trigger.
type lane struct {
	sent    map[string][]string       // by ordering key, in the order of sending
	begun   map[string][]string       // by ordering key, in the order of leaving
	keys    map[string]string         // ordering key by execution
	running map[string]picloud.Firing // by execution
}

func newLane() *lane {
	return &lane{sent: map[string][]string{}, begun: map[string][]string{}, keys: map[string]string{}, running: map[string]picloud.Firing{}}
}

// begin takes what a claim gave, and says what is wrong with it.
func (l *lane) begin(firings []picloud.Firing, most int) error {
	for _, f := range firings {
		key := l.keys[f.ExecutionID]
		if key != "" {
			for id := range l.running {
				if l.keys[id] == key {
					return fmt.Errorf("two of key %q run", key)
				}
			}
			l.begun[key] = append(l.begun[key], f.ExecutionID)
			if n := len(l.begun[key]); l.sent[key][n-1] != f.ExecutionID {
				return fmt.Errorf("key %q: number %d is not what was sent as that", key, n)
			}
		}
		if _, twice := l.running[f.ExecutionID]; twice {
			return fmt.Errorf("%s runs twice", f.ExecutionID)
		}
		l.running[f.ExecutionID] = f
	}
	if most > 0 && len(l.running) > most {
		return fmt.Errorf("%d run, at most %d may", len(l.running), most)
	}
	return nil
}

// Whatever is sent, claimed and ended when: messages of one key go one at a time and in their order, max_concurrency holds, and everything goes in the end.
func TestOrderingKeysHoldUnderEverySchedule(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	queues := 0
	rapid.Check(t, func(r *rapid.T) {
		queues++
		queue := fmt.Sprintf("q%d", queues)
		most := rapid.SampledFrom([]int{0, 1, 2, 3}).Draw(r, "max_concurrency")
		trigger := consumer(t, s, app, queue, queue, most)
		defer func() { require.NoError(t, s.DeleteTrigger(t.Context(), app.ID, trigger.ID)) }()
		l := newLane()
		end := func(id string) {
			f := l.running[id]
			switch rapid.SampledFrom([]string{"commit", "bury", "cancel"}).Draw(r, "end") {
			case "commit":
				_, err := commit(t, s, f, picloud.Outcome{})
				require.NoError(r, err)
			case "bury":
				bury(t, s, f, broken)
			default:
				_, err := s.CancelExecution(t.Context(), f, time.Now(), nil)
				require.NoError(r, err)
			}
			require.NoError(r, s.DeleteFirings(t.Context(), []string{id}))
			delete(l.running, id)
		}
		claimSome := func() {
			require.NoError(r, l.begin(claimOf(t, s, trigger.ID), most))
		}
		r.Repeat(map[string]func(*rapid.T){
			"send": func(r *rapid.T) {
				key := rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(r, "key")
				id := send(t, s, app, picloud.QueueMessage{Queue: queue, OrderingKey: key, Priority: rapid.IntRange(-2, 2).Draw(r, "priority")})
				l.sent[key], l.keys[id] = append(l.sent[key], id), key
			},
			"claim": func(*rapid.T) { claimSome() },
			"end": func(r *rapid.T) {
				running := sortedIDs(l.running)
				if len(running) == 0 {
					r.Skip("nothing runs")
				}
				end(rapid.SampledFrom(running).Draw(r, "which"))
			},
		})
		for total := 0; total < len(l.keys); total++ { // a round ends at least one
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

// claimOf claims once, and gives what belongs to the trigger.
func claimOf(t *testing.T, s *store.Store, triggerID string) []picloud.Firing {
	t.Helper()
	return slices.DeleteFunc(claim(t, s), func(f picloud.Firing) bool { return f.TriggerID != triggerID })
}

// A delayed message holds back those of its key that were sent after it, and no others; a dispatcher that died gives its message back in its turn; a replay comes last.
func TestOrderingKeyWaitsForItsHead(t *testing.T) {
	t.Parallel()
	s, app := shopWithQueue(t)
	consumer(t, s, app, "mailer", "mail", 0)
	first := send(t, s, app, picloud.QueueMessage{Queue: "mail", OrderingKey: "k", Delay: 300 * time.Millisecond})
	second := send(t, s, app, picloud.QueueMessage{Queue: "mail", OrderingKey: "k", Priority: 9})
	other := send(t, s, app, picloud.QueueMessage{Queue: "mail", OrderingKey: "other"})
	free := send(t, s, app, picloud.QueueMessage{Queue: "mail"})
	assert.ElementsMatch(t, []string{other, free}, ids(claim(t, s)))
	in, waiting, err := s.NextDue(t.Context())
	require.NoError(t, err)
	assert.True(t, waiting)
	assert.LessOrEqual(t, in, 300*time.Millisecond, "the head is waited for, not what is behind it")

	var head []picloud.Firing
	testkit.Eventually(t, time.Minute, func() error {
		if head, err = s.ClaimDue(t.Context(), 10, time.Millisecond); len(head) == 0 { // a lease that ends at once: its dispatcher is dead
			return fmt.Errorf("nothing is due: %w", err)
		}
		return err
	})
	require.Equal(t, []string{first}, ids(head))
	testkit.Eventually(t, time.Minute, func() error {
		if got := ids(claim(t, s)); !slices.Equal(got, []string{first}) {
			return fmt.Errorf("claimed %v", got)
		}
		return nil
	})
	letter := bury(t, s, head[0], broken)
	require.NoError(t, s.DeleteFirings(t.Context(), []string{first}))
	assert.Equal(t, "k", letterOf(t, s, app, letter).Event.PartitionKey)
	replay, err := s.ReplayDeadLetter(t.Context(), app.ID, letter, picloud.Replay{Principal: "tester", Data: json.RawMessage(`2`)})
	require.NoError(t, err)
	next := claim(t, s)
	require.Equal(t, []string{second}, ids(next))
	_, err = commit(t, s, next[0], picloud.Outcome{})
	require.NoError(t, err)
	require.NoError(t, s.DeleteFirings(t.Context(), []string{second}))
	assert.Equal(t, []string{replay}, ids(claim(t, s)))
}
