package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/picloud/picloud/internal/filter"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// CronTriggers implements picloud.Ticks.
func (s *Store) CronTriggers(ctx context.Context, id string) ([]picloud.CronTrigger, error) {
	rows, err := s.queries.CronTriggerList(ctx, optional(id))
	if err != nil {
		return nil, fmt.Errorf("list cron triggers: %w", err)
	}
	return convert(rows, func(r sqlc.CronTriggerListRow) picloud.CronTrigger {
		return picloud.CronTrigger{
			ID: r.ID, App: r.App, Name: r.Name, Enabled: r.Enabled, Config: toCron(r.Schedule, r.Timezone, r.Overlap, r.CatchupWindowMs, r.JitterMs),
		}
	}), nil
}

func toCron(schedule, timezone, overlap string, catchupMs, jitterMs int64) picloud.CronConfig {
	return picloud.CronConfig{
		Schedule: schedule, Timezone: timezone, Overlap: picloud.Overlap(overlap),
		CatchupWindow: time.Duration(catchupMs) * time.Millisecond, Jitter: time.Duration(jitterMs) * time.Millisecond,
	}
}

// OpenTick implements picloud.Ticks.
func (s *Store) OpenTick(ctx context.Context, t picloud.Tick) (*picloud.Firing, error) {
	row, err := s.queries.CronTriggerOpen(ctx, t.TriggerID)
	if isMissing(err) {
		return nil, nil //nolint:nilnil // no trigger, no firing
	}
	if err != nil {
		return nil, fmt.Errorf("get cron trigger: %w", err)
	}
	policy, err := s.retryPolicy(row.Retry)
	if err != nil {
		return nil, err
	}
	limits, err := decode[picloud.Limits](row.Limits)
	if err != nil {
		return nil, err
	}
	scheduled := t.ScheduledAt.UTC().Format(time.RFC3339)
	data, err := json.Marshal(map[string]string{"scheduled_at": scheduled, "schedule": row.Schedule})
	if err != nil {
		return nil, fmt.Errorf("encode tick: %w", err)
	}
	event := picloud.Event{
		ID: t.EventID, Source: "/apps/" + row.App + "/cron/" + row.Trigger, Type: picloud.TypeCronTick, Subject: row.Trigger, Time: t.At.UTC(), Data: data,
		RootID: t.EventID, Depth: 1, TraceParent: picloud.NewTrace(t.EventID),
	}
	var refusal *picloud.ScriptError
	if row.Filter != nil {
		matches, err := match(*row.Filter, filter.Of(event))
		switch {
		case err != nil:
			refusal = noValue(err)
		case !matches:
			return nil, nil //nolint:nilnil // the tick passes without a firing
		}
	}
	if err := insertEvent(ctx, s.queries, row.AppID, event); err != nil {
		return nil, err
	}
	return &picloud.Firing{
		ExecutionID: t.ExecutionID, AppID: row.AppID, App: row.App, ScriptID: row.ScriptID, Script: row.Script, Version: int(row.Version), TriggerID: t.TriggerID,
		Trigger: row.Trigger, Kind: picloud.KindCron, EventID: t.EventID, What: "cron " + row.Trigger + " " + scheduled, RootID: t.EventID, Depth: 1,
		MaxDepth: s.maxDepth(int(value(row.MaxDepth))), Principal: row.RegisteredByPrincipal, Wall: limits.Wall, Retry: policy, QueuedAt: t.At.UTC(), Refusal: refusal,
	}, nil
}
