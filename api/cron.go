package api

import (
	"context"

	"github.com/picloud/picloud/internal/picloud"
)

// nextFires is how many of the next times of a cron trigger are shown.
const nextFires = 5

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
	return s.withNextFires(ctx, t)
}

// withNextFires gives a trigger; one of kind cron with its next times.
func (s *server) withNextFires(ctx context.Context, t picloud.Trigger) (Trigger, error) {
	out, err := toTrigger(t)
	if err != nil || t.Kind != picloud.KindCron || !t.Enabled {
		return out, err
	}
	out.NextFires, err = s.Schedules.NextFires(ctx, t.ID, nextFires)
	if err != nil { // the trigger can be shown without them
		s.Log.WithError(err).WithField("trigger", t.Name).Warn("cannot read the next times of a cron trigger")
	}
	return out, nil
}
