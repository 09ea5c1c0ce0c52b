package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store"
	"github.com/picloud/picloud/internal/testkit"
)

// tree is what becomes of all that one event fires, with no workflows between.
type tree struct {
	ran, cut []picloud.Firing
}

// grow runs what is fired until nothing is left: each execution does what the script says, many at a time.
func grow(t *testing.T, s *store.Store, script func(f picloud.Firing) []picloud.Effect) tree {
	t.Helper()
	var all tree
	for {
		firings, err := s.ClaimDue(t.Context(), 1000, time.Hour)
		require.NoError(t, err)
		if len(firings) == 0 {
			return all
		}
		var ids []string
		var wg sync.WaitGroup
		room := make(chan struct{}, 8)
		for _, f := range firings {
			ids = append(ids, f.ExecutionID)
			if f.Cut() != nil {
				all.cut = append(all.cut, f)
				continue
			}
			all.ran = append(all.ran, f)
			wg.Go(func() {
				room <- struct{}{}
				defer func() { <-room }()
				_, err := s.CommitExecution(t.Context(), f, picloud.Commit{
					Status: picloud.StatusSucceeded, Attempt: 1, StartedAt: time.Now(), Outcome: picloud.Outcome{Effects: script(f), Usage: picloud.Usage{CPU: time.Millisecond}},
				})
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		require.NoError(t, s.DeleteFirings(t.Context(), ids))
	}
}

func publishes(n int) func(picloud.Firing) []picloud.Effect {
	return func(picloud.Firing) []picloud.Effect {
		effects := make([]picloud.Effect, n)
		for i := range effects {
			effects[i] = picloud.Effect{Type: picloud.EffectTopicPublish, Topic: "bang", Value: []byte(fmt.Sprint(i))}
		}
		return effects
	}
}

func budgeted(t *testing.T, b picloud.Budget) (*store.Store, picloud.App) {
	t.Helper()
	s := testkit.Store(t, func(o *store.Options) { o.Budget, o.MaxDepth = b, 1000 })
	app := testkit.App(t, s, "shop")
	testkit.Script(t, s, app, "fulfil")
	return s, app
}

// Of a bomb exactly as many run as the budget has, however it branches and however many commit at a time; one firing is cut, the others are not kept.
func TestBudgetOfExecutionsIsExact(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ triggers, fan, budget int }{{1, 10, 250}, {3, 4, 100}, {1, 1, 20}, {2, 1, 33}, {5, 1, 3}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			t.Parallel()
			s, app := budgeted(t, picloud.Budget{Executions: c.budget})
			for i := range c.triggers {
				subscribe(t, s, app, fmt.Sprint("t", i), "*")
			}
			_, err := s.Publish(t.Context(), app, "bang", []byte("0"), picloud.Origin{})
			require.NoError(t, err)
			got := grow(t, s, publishes(c.fan))
			assert.Len(t, got.ran, c.budget)
			require.Len(t, got.cut, 1)
			cut := got.cut[0].Cut()
			assert.Equal(t, picloud.ReasonBudgetExceeded, cut.Reason)
			assert.Contains(t, cut.Message, fmt.Sprintf("%d executions (PICLOUD_ROOT_MAX_EXECUTIONS)", c.budget))

			// Another event is another tree.
			_, err = s.Publish(t.Context(), app, "bang", []byte("0"), picloud.Origin{})
			require.NoError(t, err)
			assert.Len(t, grow(t, s, publishes(c.fan)).ran, c.budget)
		})
	}
}

// What a filter refuses is not fired, and so not counted.
func TestBudgetCountsWhatPassesItsFilter(t *testing.T) {
	t.Parallel()
	s, app := budgeted(t, picloud.Budget{Executions: 40})
	for name, filter := range map[string]string{"some": "event.data < 3", "none": "event.data > 100", "others": "event.data == 7 || event.data == 8"} {
		testkit.Trigger(t, s, app, picloud.Trigger{Name: name, Kind: picloud.KindPubSub, Script: "fulfil", PubSub: &picloud.PubSubConfig{Topic: "*"}, Filter: filter})
	}
	_, err := s.Publish(t.Context(), app, "bang", []byte("0"), picloud.Origin{})
	require.NoError(t, err)
	got := grow(t, s, publishes(10))
	assert.Len(t, got.ran, 40)
	assert.Len(t, got.cut, 1)
}

// When effects or CPU time are used up, all that is still to come is cut: one letter says so, the others end as canceled.
func TestBudgetsOfEffectsAndCPU(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]picloud.Budget{"PICLOUD_ROOT_MAX_EFFECTS": {Effects: 35}, "PICLOUD_ROOT_MAX_CPU": {CPU: 4 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, app := budgeted(t, b)
			subscribe(t, s, app, "t", "*")
			_, err := s.Publish(t.Context(), app, "bang", []byte("0"), picloud.Origin{})
			require.NoError(t, err)
			got := grow(t, s, publishes(10))
			assert.Len(t, got.ran, 11, "the root and its ten; what these fire finds the budget used up")
			require.Len(t, got.cut, 100)
			letters := 0
			for _, f := range got.cut {
				cut := f.Cut()
				require.Contains(t, cut.Message, name)
				for range 2 { // the second time changes nothing
					id, err := s.BuryExecution(t.Context(), f, *cut, 0, time.Now())
					require.NoError(t, err)
					x, err := s.Execution(t.Context(), app.ID, f.ExecutionID)
					require.NoError(t, err)
					if id == "" {
						require.Equal(t, picloud.StatusCanceled, x.Status)
						continue
					}
					letters++
					require.Equal(t, picloud.StatusDeadLettered, x.Status)
				}
			}
			assert.Equal(t, 2, letters, "one letter, twice asked for")
			n, err := s.CountUnresolved(t.Context(), app.ID)
			require.NoError(t, err)
			assert.EqualValues(t, 1, n)
		})
	}
}

// A replay is asked for by a person: it runs, whatever cut it, and its tree has a new budget.
func TestReplaysOfWhatWasCutRun(t *testing.T) {
	t.Parallel()
	s, app := budgeted(t, picloud.Budget{Executions: 5})
	subscribe(t, s, app, "t", "*")
	_, err := s.Publish(t.Context(), app, "bang", []byte("0"), picloud.Origin{})
	require.NoError(t, err)
	got := grow(t, s, publishes(2))
	require.Len(t, got.cut, 1)
	letter, err := s.BuryExecution(t.Context(), got.cut[0], *got.cut[0].Cut(), 0, time.Now())
	require.NoError(t, err)
	replayed, err := s.ReplayDeadLetter(t.Context(), app.ID, letter, picloud.Replay{Principal: "ada"})
	require.NoError(t, err)
	again := grow(t, s, func(f picloud.Firing) []picloud.Effect {
		if f.ExecutionID == replayed {
			return publishes(2)(f)
		}
		return nil
	})
	assert.Len(t, again.ran, 3)
	assert.Empty(t, again.cut)
}

// A trigger with the policy deny does not fire below itself; one of a smaller depth is cut there.
func TestGuardsOfTriggers(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	testkit.Script(t, s, app, "fulfil")
	trigger := func(name string, topic string, depth int, cycle picloud.Cycle) {
		made := testkit.Trigger(t, s, app, picloud.Trigger{Name: name, Kind: picloud.KindPubSub, Script: "fulfil", PubSub: &picloud.PubSubConfig{Topic: picloud.Glob(topic)}, MaxDepth: depth, Cycle: cycle})
		assert.Equal(t, depth, made.MaxDepth)
		assert.Equal(t, cycle, made.Cycle)
	}
	trigger("ping", "ping", 0, picloud.CycleDeny)
	trigger("pong", "pong", 0, picloud.CycleAllow)
	trigger("shallow", "shallow", 3, picloud.CycleAllow)
	bounce := func(f picloud.Firing) []picloud.Effect {
		topic := map[string]string{"ping": "pong", "pong": "ping", "shallow": "shallow"}[f.Trigger]
		return []picloud.Effect{{Type: picloud.EffectTopicPublish, Topic: topic, Value: []byte("1")}}
	}
	for topic, want := range map[string]struct {
		ran    int
		reason picloud.Reason
		path   string
	}{
		"ping":    {2, picloud.ReasonCycle, "ping → pubsub pong → pong → pubsub ping → ping (2 turns)"},
		"pong":    {3, picloud.ReasonCycle, "ping → pubsub pong → pong → pubsub ping → ping (2 turns)"},
		"shallow": {3, picloud.ReasonDepthExceeded, "shallow → pubsub shallow → shallow (3 turns)"},
	} {
		_, err := s.Publish(t.Context(), app, topic, []byte("1"), picloud.Origin{})
		require.NoError(t, err)
		got := grow(t, s, bounce)
		assert.Len(t, got.ran, want.ran, topic)
		require.Len(t, got.cut, 1, topic)
		assert.Equal(t, want.reason, got.cut[0].Cut().Reason, topic)
		path, err := s.Path(t.Context(), got.cut[0])
		require.NoError(t, err)
		if topic != "pong" {
			assert.Equal(t, want.path, picloud.Describe(path), topic)
		}
	}
}
