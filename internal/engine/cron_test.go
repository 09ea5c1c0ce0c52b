package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/picloud/picloud/activities"
	"github.com/picloud/picloud/activities/activitiestest"
	"github.com/picloud/picloud/internal/engine"
	"github.com/picloud/picloud/internal/engine/enginetest"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/testkit"
	"github.com/picloud/picloud/workflows"
)

// clockwork is picloud.Ticks in memory.
type clockwork struct {
	mu       sync.Mutex
	triggers []picloud.CronTrigger
	ticks    []picloud.Tick
}

func (c *clockwork) CronTriggers(_ context.Context, id string) ([]picloud.CronTrigger, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.triggers), func(t picloud.CronTrigger) bool { return id != "" && t.ID != id }), nil
}

func (c *clockwork) OpenTick(_ context.Context, t picloud.Tick) (*picloud.Firing, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ticks = append(c.ticks, t)
	f := firing(func(f *picloud.Firing) {
		f.ExecutionID, f.EventID, f.TriggerID, f.Kind, f.Trigger, f.ReplayOf = t.ExecutionID, t.EventID, t.TriggerID, picloud.KindCron, "nightly", ""
		f.What = "cron nightly " + t.ScheduledAt.UTC().Format(time.RFC3339)
	})
	return &f, nil
}

func (c *clockwork) set(triggers ...picloud.CronTrigger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.triggers = triggers
}

func (c *clockwork) seen() []picloud.Tick {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.ticks)
}

func cronTrigger(schedule string) picloud.CronTrigger {
	return picloud.CronTrigger{
		ID: uuid.NewString(), App: "shop", Name: "nightly", Enabled: true,
		Config: picloud.CronConfig{Schedule: schedule, Overlap: picloud.OverlapSkip, CatchupWindow: time.Hour},
	}
}

func notes(t *testing.T, e *engine.Engine) map[string]client.ScheduleListEntry {
	t.Helper()
	list, err := e.Client().ScheduleClient().List(t.Context(), client.ScheduleListOptions{})
	require.NoError(t, err)
	found := map[string]client.ScheduleListEntry{}
	for list.HasNext() {
		entry, err := list.Next()
		require.NoError(t, err)
		found[entry.ID] = *entry
	}
	return found
}

func TestSchedulesAreMadeEqualToTheTriggers(t *testing.T) {
	t.Parallel()
	e := enginetest.New(t, enginetest.Namespace(t))
	require.NoError(t, e.EnsureRetentionSchedule(t.Context()))
	work, gone, paused := cronTrigger("30 7 * * mon-fri"), cronTrigger("@daily"), cronTrigger("@every 5m")
	work.Config.Timezone = "Europe/Berlin"
	paused.Enabled = false
	triggers := &clockwork{}
	triggers.set(work, gone, paused)
	r := engine.NewReconciler(e, triggers, nil, testkit.SilentLog(), time.Hour)
	id := func(c picloud.CronTrigger) string { return workflows.CronIDPrefix + c.ID }
	reconciled := func(what string, holds func(map[string]client.ScheduleListEntry) bool) {
		t.Helper()
		// A list of Schedules is some moments behind: a round may see too little, and the next one mends it.
		testkit.Eventually(t, soon, func() error {
			if err := r.Reconcile(t.Context()); err != nil {
				return err
			}
			if !holds(notes(t, e)) {
				return errors.New(what)
			}
			return nil
		})
	}
	reconciled("all three, and retention's own", func(s map[string]client.ScheduleListEntry) bool {
		return len(s) == 4 && s[id(paused)].Paused && !s[id(work)].Paused
	})

	state, err := r.ScheduleState(t.Context(), work.ID)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(state.Next), 5)
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for _, at := range state.Next {
		at = at.In(berlin)
		assert.Equal(t, "07:30:00", at.Format("15:04:05"))
		assert.NotContains(t, []time.Weekday{time.Saturday, time.Sunday}, at.Weekday())
	}

	// By hand: one is deleted, one is paused, and a trigger goes.
	schedules := e.Client().ScheduleClient()
	require.NoError(t, schedules.GetHandle(t.Context(), id(work)).Delete(t.Context()))
	require.NoError(t, schedules.GetHandle(t.Context(), id(paused)).Unpause(t.Context(), client.ScheduleUnpauseOptions{Note: "by hand"}))
	triggers.set(work, paused)
	reconciled("the deleted one is back, the orphan gone, the paused one paused", func(s map[string]client.ScheduleListEntry) bool {
		_, back := s[id(work)]
		_, orphan := s[id(gone)]
		return len(s) == 3 && back && !orphan && s[id(paused)].Paused
	})

	// One trigger alone, as after a change of it.
	work.Config.Schedule = "0 12 * * *"
	triggers.set(work)
	require.NoError(t, r.SyncSchedule(t.Context(), work.ID))
	require.NoError(t, r.SyncSchedule(t.Context(), paused.ID))
	require.NoError(t, r.SyncSchedule(t.Context(), paused.ID), "removing it again is no error")
	state, err = r.ScheduleState(t.Context(), work.ID)
	require.NoError(t, err)
	require.NotEmpty(t, state.Next)
	assert.Equal(t, 12, state.Next[0].In(berlin).Hour())
	none, err := r.ScheduleState(t.Context(), paused.ID)
	require.NoError(t, err)
	assert.Empty(t, none)
}

// While an execution runs, its tick does: so the overlap policy of the Schedule holds for executions.
func TestTicksLastAsLongAsTheirExecutions(t *testing.T) {
	t.Parallel()
	for overlap, want := range map[picloud.Overlap]func(running []string, ended map[string]picloud.Status) bool{
		picloud.OverlapSkip: func(running []string, ended map[string]picloud.Status) bool {
			return len(running) == 1 && len(ended) == 0
		},
		picloud.OverlapBufferOne: func(running []string, ended map[string]picloud.Status) bool {
			return len(running) == 1 && len(ended) == 0
		},
		picloud.OverlapAllowAll: func(running []string, _ map[string]picloud.Status) bool { return len(running) >= 3 },
		picloud.OverlapCancelOther: func(running []string, ended map[string]picloud.Status) bool {
			return len(running) <= 1 && len(ended) >= 2 && !slices.ContainsFunc(values(ended), func(s picloud.Status) bool { return s != picloud.StatusCanceled })
		},
	} {
		t.Run(string(overlap), func(t *testing.T) {
			t.Parallel()
			e := enginetest.New(t, enginetest.Namespace(t))
			triggers, journal := &clockwork{}, &activitiestest.Journal{}
			work(t, e, &activities.Activities{Journal: journal, Sandbox: &activitiestest.Sandbox{Script: activitiestest.Hangs()}, Ticks: triggers})
			trigger := cronTrigger("@every 1s")
			trigger.Config.Overlap = overlap
			triggers.set(trigger)
			r := engine.NewReconciler(e, triggers, nil, testkit.SilentLog(), 0)
			require.NoError(t, r.SyncSchedule(t.Context(), trigger.ID))
			handle := e.Client().ScheduleClient().GetHandle(t.Context(), workflows.CronIDPrefix+trigger.ID)
			testkit.Eventually(t, soon, func() error {
				described, err := handle.Describe(t.Context())
				if err != nil {
					return err
				}
				ended := map[string]picloud.Status{}
				for _, tick := range triggers.seen() {
					if end, ok := journal.End(tick.ExecutionID); ok {
						ended[tick.ExecutionID] = end.Status
					}
				}
				list, err := e.ListRunning(t.Context(), shop, picloud.ExecutionFilter{Kind: picloud.KindCron}, picloud.Page{Limit: 100})
				if err != nil {
					return err
				}
				var running []string
				for _, x := range list.Items {
					running = append(running, x.ID)
				}
				// Several times must have come: those that were left out are counted too.
				if described.Info.NumActions+described.Info.NumActionsSkippedOverlap < 3 || !want(running, ended) {
					return fmt.Errorf("%d started, %d left out; %d running, ended: %v", described.Info.NumActions, described.Info.NumActionsSkippedOverlap, len(running), ended)
				}
				return nil
			})
			require.NoError(t, handle.Delete(t.Context()))
			for _, tick := range triggers.seen() {
				assert.WithinDuration(t, tick.At, tick.ScheduledAt, soon)
				at, err := uuid.Parse(tick.ExecutionID)
				require.NoError(t, err)
				assert.EqualValues(t, 7, at.Version())
				assert.NotEqual(t, tick.EventID, tick.ExecutionID)
			}
		})
	}
}

func values(m map[string]picloud.Status) []picloud.Status {
	var all []picloud.Status
	for _, v := range m {
		all = append(all, v)
	}
	return all
}

// A backfill makes every tick of a past time, and each once.
func TestBackfillMakesTheTicksOfAPastTime(t *testing.T) {
	t.Parallel()
	e := enginetest.New(t, enginetest.Namespace(t))
	triggers, journal := &clockwork{}, &activitiestest.Journal{}
	work(t, e, &activities.Activities{Journal: journal, Sandbox: &activitiestest.Sandbox{Script: activitiestest.Returns(`1`)}, Ticks: triggers})
	trigger := cronTrigger("30 2 * * *")
	trigger.Config.Timezone = "Europe/Berlin"
	triggers.set(trigger)
	r := engine.NewReconciler(e, triggers, nil, testkit.SilentLog(), 0)
	b := picloud.Backfill{From: time.Date(2026, 3, 27, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 3, 31, 0, 30, 0, 0, time.UTC)}
	err := r.Backfill(t.Context(), trigger.ID, b)
	require.Equal(t, "trigger_unscheduled", picloud.ErrorCode(err))
	require.NoError(t, r.SyncSchedule(t.Context(), trigger.ID))
	require.NoError(t, r.Backfill(t.Context(), trigger.ID, b))
	// On the 29th there is no 2:30; the last one is To itself.
	want := []string{"2026-03-27T01:30:00Z", "2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z", "2026-03-31T00:30:00Z"}
	counted, err := b.Check(trigger.Config, time.Now())
	require.NoError(t, err)
	assert.Equal(t, len(want), counted)
	testkit.Eventually(t, soon, func() error {
		var came []string
		for _, tick := range triggers.seen() {
			came = append(came, tick.ScheduledAt.UTC().Format(time.RFC3339))
		}
		if !slices.Equal(want, came) {
			return fmt.Errorf("came so far: %v", came)
		}
		return nil
	})
	testkit.Eventually(t, soon, func() error {
		state, err := r.ScheduleState(t.Context(), trigger.ID)
		if err != nil {
			return err
		}
		if len(state.Last) != len(want) || !state.Last[0].ScheduledAt.Equal(b.To) {
			return fmt.Errorf("last: %v", state.Last)
		}
		return nil
	})
}
