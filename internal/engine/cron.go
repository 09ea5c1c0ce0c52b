package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/workflows"
)

// overlaps are Temporal's names for the overlap policies.
var overlaps = map[picloud.Overlap]enumspb.ScheduleOverlapPolicy{
	picloud.OverlapSkip:        enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
	picloud.OverlapBufferOne:   enumspb.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE,
	picloud.OverlapAllowAll:    enumspb.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL,
	picloud.OverlapCancelOther: enumspb.SCHEDULE_OVERLAP_POLICY_CANCEL_OTHER,
}

// scheduleForm is the number of the way in which Schedules are made here: another one has all of them made anew.
const scheduleForm = 1

// noteOf is the note of the Schedule of a trigger. It tells people who keeps it, and the reconciler whether it is as it should be: the Schedule's list shows notes, and any change that is
// made by hand in the Temporal UI (a pause) replaces it.
func noteOf(t picloud.CronTrigger) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %+v", scheduleForm, t))
	return "kept by PiCloud as its trigger says: change the trigger, not this (" + hex.EncodeToString(sum[:8]) + ")"
}

// specOf says when the trigger is due.
func specOf(c picloud.CronConfig) (client.ScheduleSpec, error) {
	times, err := picloud.ParseCron(c.Schedule)
	if err != nil {
		return client.ScheduleSpec{}, fmt.Errorf("parse schedule: %w", err)
	}
	spec := client.ScheduleSpec{TimeZoneName: c.Timezone, Jitter: c.Jitter}
	if times.Every > 0 {
		spec.Intervals = []client.ScheduleIntervalSpec{{Every: times.Every}}
	}
	for _, calendar := range times.Calendars {
		spec.Calendars = append(spec.Calendars, client.ScheduleCalendarSpec{
			Minute: rangesOf(calendar.Minutes), Hour: rangesOf(calendar.Hours), DayOfMonth: rangesOf(calendar.DaysOfMonth),
			Month: rangesOf(calendar.Months), DayOfWeek: rangesOf(calendar.DaysOfWeek),
		})
	}
	return spec, nil
}

func rangesOf(list []picloud.CronRange) []client.ScheduleRange {
	out := make([]client.ScheduleRange, len(list))
	for i, r := range list {
		out[i] = client.ScheduleRange{Start: r.First, End: r.Last}
	}
	return out
}

// putSchedule makes the Schedule of a trigger, or brings the one that exists to the trigger's form.
func (e *Engine) putSchedule(ctx context.Context, t picloud.CronTrigger) error {
	spec, err := specOf(t.Config)
	if err != nil {
		return err
	}
	note := noteOf(t)
	id := workflows.CronIDPrefix + t.ID
	action := &client.ScheduleWorkflowAction{
		ID: id, Workflow: workflows.CronTickName, Args: []any{workflows.CronTickInput{TriggerID: t.ID}}, TaskQueue: workflows.TaskQueue,
		TypedSearchAttributes: temporal.NewSearchAttributes(
			workflows.AppKey.ValueSet(t.App), workflows.TriggerKey.ValueSet(t.Name), workflows.KindKey.ValueSet(string(picloud.KindCron)),
		),
		StaticSummary: fmt.Sprintf("tick of %s/%s: %s", t.App, t.Name, t.Config.Schedule),
	}
	policy := client.SchedulePolicies{Overlap: overlaps[t.Config.Overlap], CatchupWindow: t.Config.CatchupWindow}
	_, err = e.client.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID: id, Spec: spec, Action: action, Overlap: policy.Overlap, CatchupWindow: policy.CatchupWindow, Paused: !t.Enabled, Note: note,
	})
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		err = e.client.ScheduleClient().GetHandle(ctx, id).Update(ctx, client.ScheduleUpdateOptions{
			DoUpdate: func(client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
				return &client.ScheduleUpdate{Schedule: &client.Schedule{
					Action: action, Spec: &spec, Policy: &policy, State: &client.ScheduleState{Note: note, Paused: !t.Enabled},
				}}, nil
			},
		})
	}
	if err != nil {
		return fmt.Errorf("put schedule of trigger %s: %w", t.ID, err)
	}
	return nil
}

// removeSchedule removes the Schedule of a trigger; that there is none is success. What runs goes on.
func (e *Engine) removeSchedule(ctx context.Context, triggerID string) error {
	err := e.client.ScheduleClient().GetHandle(ctx, workflows.CronIDPrefix+triggerID).Delete(ctx)
	if _, missing := errors.AsType[*serviceerror.NotFound](err); err != nil && !missing {
		return fmt.Errorf("remove schedule of trigger %s: %w", triggerID, err)
	}
	return nil
}

// schedules gives the notes of the Schedules of cron triggers, by the trigger's id.
func (e *Engine) schedules(ctx context.Context) (map[string]string, error) {
	list, err := e.client.ScheduleClient().List(ctx, client.ScheduleListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	notes := map[string]string{}
	for list.HasNext() {
		entry, err := list.Next()
		if err != nil {
			return nil, fmt.Errorf("list schedules: %w", err)
		}
		if id, ours := strings.CutPrefix(entry.ID, workflows.CronIDPrefix); ours {
			notes[id] = entry.Note
		}
	}
	return notes, nil
}

// backfill makes the ticks of a past time come now.
func (e *Engine) backfill(ctx context.Context, triggerID string, b picloud.Backfill) error {
	overlap := enumspb.SCHEDULE_OVERLAP_POLICY_BUFFER_ALL
	if b.AtOnce {
		overlap = enumspb.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL
	}
	err := e.client.ScheduleClient().GetHandle(ctx, workflows.CronIDPrefix+triggerID).Backfill(ctx, client.ScheduleBackfillOptions{
		Backfill: []client.ScheduleBackfill{{Start: b.From, End: b.To, Overlap: overlap}},
	})
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return picloud.Errorf(picloud.Conflict, "trigger_unscheduled", "the trigger has no schedule yet; it is made within a minute")
	}
	if err != nil {
		return fmt.Errorf("backfill schedule of trigger %s: %w", triggerID, err)
	}
	return nil
}

// maxShownTicks bounds the times that a ScheduleState names of either kind.
const maxShownTicks = 10

// scheduleState gives the state of a trigger's Schedule; zero where it has none.
func (e *Engine) scheduleState(ctx context.Context, triggerID string) (picloud.ScheduleState, error) {
	described, err := e.client.ScheduleClient().GetHandle(ctx, workflows.CronIDPrefix+triggerID).Describe(ctx)
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return picloud.ScheduleState{}, nil
	}
	if err != nil {
		return picloud.ScheduleState{}, fmt.Errorf("describe schedule of trigger %s: %w", triggerID, err)
	}
	info := described.Info
	state := picloud.ScheduleState{Missed: int64(info.NumActionsMissedCatchupWindow), Skipped: int64(info.NumActionsSkippedOverlap)}
	if described.Schedule.State == nil || !described.Schedule.State.Paused {
		state.Next = info.NextActionTimes[:min(maxShownTicks, len(info.NextActionTimes))]
	}
	for _, action := range slices.Backward(info.RecentActions) {
		if len(state.Last) < maxShownTicks {
			state.Last = append(state.Last, picloud.TickTime{ScheduledAt: action.ScheduleTime, At: action.ActualTime})
		}
	}
	return state, nil
}
