package api

import (
	"context"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// shownFires is how many of the next and of the last times of a cron trigger are shown.
const shownFires = 5

func parseCronConfig(c CronTriggerConfig) (picloud.CronConfig, error) {
	parsed := picloud.CronConfig{
		Schedule: c.Schedule, Timezone: deref(c.Timezone), Overlap: picloud.Overlap(deref(c.Overlap)), CatchupWindow: picloud.DefaultCatchupWindow,
	}
	if parsed.Overlap == "" {
		parsed.Overlap = picloud.OverlapSkip
	}
	var err error
	if c.CatchupWindow != nil {
		if parsed.CatchupWindow, err = parseDuration("config.catchup_window", *c.CatchupWindow); err != nil {
			return parsed, err
		}
	}
	if c.Jitter != nil {
		if parsed.Jitter, err = parseDuration("config.jitter", *c.Jitter); err != nil {
			return parsed, err
		}
	}
	return parsed, parsed.Check()
}

func toCronConfig(c picloud.CronConfig) CronTriggerConfig {
	overlap, window := string(c.Overlap), formatDuration(c.CatchupWindow)
	out := CronTriggerConfig{Schedule: c.Schedule, Timezone: orNil(c.Timezone), Overlap: &overlap, CatchupWindow: &window}
	if c.Jitter > 0 {
		jitter := formatDuration(c.Jitter)
		out.Jitter = &jitter
	}
	return out
}

// syncSchedule brings the engine's timer of a cron trigger to its new form. That the engine is away is no failure of the request: the trigger is stored, and the reconciler makes
// its timer as soon as it can.
func (s *server) syncSchedule(ctx context.Context, t picloud.Trigger) {
	if err := s.Schedules.SyncSchedule(ctx, t.ID); err != nil {
		s.Log.WithError(err).WithField("trigger", t.Name).Warn("cannot make the schedule of a cron trigger now; it is made at the next look")
	}
}

// scheduled is a trigger that was just written, with its timer as it should be.
func (s *server) scheduled(ctx context.Context, t picloud.Trigger) (Trigger, error) {
	if t.Kind == picloud.KindCron {
		s.syncSchedule(ctx, t)
	}
	return s.withSchedule(ctx, t)
}

// withSchedule gives a trigger; one of kind cron with how its schedule is.
func (s *server) withSchedule(ctx context.Context, t picloud.Trigger) (Trigger, error) {
	out, err := toTrigger(t)
	if err != nil || t.Kind != picloud.KindCron {
		return out, err
	}
	state, err := s.Schedules.ScheduleState(ctx, t.ID)
	if err != nil { // the trigger can be shown without it
		s.Log.WithError(err).WithField("trigger", t.Name).Warn("cannot read the schedule of a cron trigger")
		return out, nil
	}
	if t.Enabled {
		out.NextFires = state.Next[:min(shownFires, len(state.Next))]
	}
	for _, tick := range state.Last[:min(shownFires, len(state.Last))] {
		out.LastFires = append(out.LastFires, CronTick{ScheduledAt: tick.ScheduledAt.UTC(), At: tick.At.UTC()})
	}
	out.MissedTicks, out.SkippedTicks = &state.Missed, &state.Skipped
	return out, nil
}

// BackfillTrigger implements StrictServerInterface.
func (s *server) BackfillTrigger(ctx context.Context, request BackfillTriggerRequestObject) (BackfillTriggerResponseObject, error) {
	app, t, err := s.trigger(ctx, request.App, request.Trigger)
	if err != nil {
		return nil, err
	}
	if t.Cron == nil {
		return nil, picloud.Errorf(picloud.Conflict, "not_cron", "the trigger is of kind %s: only the clock can be turned back", t.Kind)
	}
	if !t.Enabled {
		return nil, picloud.Errorf(picloud.Conflict, "trigger_disabled", "the trigger is disabled: its ticks would fire nothing")
	}
	if err := app.CheckStarts(); err != nil {
		return nil, err
	}
	b := picloud.Backfill{From: request.Body.From, To: request.Body.To}
	switch deref(request.Body.Overlap) {
	case "", "buffer_all":
	case "allow_all":
		b.AtOnce = true
	default:
		return nil, picloud.InvalidField("overlap", "must be buffer_all (one after the other) or allow_all")
	}
	ticks, err := b.Check(*t.Cron, time.Now())
	if err != nil {
		return nil, err
	}
	if ticks > 0 {
		err = s.Schedules.Backfill(ctx, t.ID, b)
	}
	if err != nil && picloud.AsError(err) == nil {
		err = engineFault(err)
	}
	picloud.RecordAudit(ctx, "trigger", t.ID, nil, map[string]any{"from": b.From, "to": b.To, "ticks": ticks})
	return BackfillTrigger202JSONResponse{Ticks: ticks}, err
}
