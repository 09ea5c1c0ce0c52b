package store

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// CreateTrigger implements picloud.Triggers.
func (s *Store) CreateTrigger(ctx context.Context, t picloud.Trigger) (picloud.Trigger, error) {
	retry, err := encode(t.Retry)
	if err != nil {
		return picloud.Trigger{}, err
	}
	flow, err := s.flowColumn(t)
	if err != nil {
		return picloud.Trigger{}, err
	}
	return s.writeTrigger(ctx, t, nil, func(q *sqlc.Queries) (sqlc.Trigger, error) {
		return q.TriggerInsert(ctx, sqlc.TriggerInsertParams{
			AppID: t.AppID, Name: t.Name, Kind: string(t.Kind), Enabled: t.Enabled, Retry: retry, Filter: optional(t.Filter), Flow: flow, MaxDepth: depthColumn(t.MaxDepth), Cycle: cycleColumn(t.Cycle),
			RegisteredByPrincipal: t.RegisteredByPrincipal, Script: t.Script,
		})
	})
}

// UpdateTrigger implements picloud.Triggers.
func (s *Store) UpdateTrigger(ctx context.Context, t picloud.Trigger) (picloud.Trigger, error) {
	retry, err := encode(t.Retry)
	if err != nil {
		return picloud.Trigger{}, err
	}
	flow, err := s.flowColumn(t)
	if err != nil {
		return picloud.Trigger{}, err
	}
	before, err := s.Trigger(ctx, t.AppID, t.ID)
	if err != nil {
		return picloud.Trigger{}, err
	}
	return s.writeTrigger(ctx, t, triggerView(before), func(q *sqlc.Queries) (sqlc.Trigger, error) {
		return q.TriggerUpdate(ctx, sqlc.TriggerUpdateParams{
			ID: t.ID, AppID: t.AppID, Name: t.Name, Enabled: t.Enabled, Retry: retry, Filter: optional(t.Filter), Flow: flow, Script: t.Script, MaxDepth: depthColumn(t.MaxDepth), Cycle: cycleColumn(t.Cycle),
			RegisteredByPrincipal: t.RegisteredByPrincipal, DisabledReason: t.DisabledReason,
		})
	})
}

// flowColumn gives the column of a trigger's flow control.
func (s *Store) flowColumn(t picloud.Trigger) ([]byte, error) {
	if t.Flow == nil {
		return nil, nil
	}
	if err := s.checkDelay("flow.delay", t.Flow.Delay); err != nil {
		return nil, err
	}
	return encode(t.Flow)
}

// checkDelay refuses a delay that an event would not outlive.
func (s *Store) checkDelay(field string, delay time.Duration) error {
	if most := time.Duration(s.options.ExecutionDays) * 24 * time.Hour; s.options.ExecutionDays > 0 && delay > most/2 {
		return picloud.InvalidField(field, "may be at most half of PICLOUD_EXECUTION_RETENTION_DAYS, which is %s: the event would not live as long", most)
	}
	return nil
}

// writeTrigger writes the common columns by put and the details of the kind, in one transaction. before is for the audit log.
func (s *Store) writeTrigger(ctx context.Context, t picloud.Trigger, before map[string]any, put func(*sqlc.Queries) (sqlc.Trigger, error)) (picloud.Trigger, error) {
	var id string
	err := s.inTx(ctx, func(q *sqlc.Queries) error {
		if err := lockLanes(ctx, q, t); err != nil {
			return err
		}
		row, err := put(q)
		switch {
		case isMissing(err):
			return picloud.InvalidField("script", "there is no script %q in the app", t.Script)
		case violates(err, uniqueViolation, ""):
			return picloud.Errorf(picloud.Conflict, "trigger_exists", "the app has a trigger %q already", t.Name)
		case err != nil:
			return fmt.Errorf("write trigger: %w", err)
		}
		id = row.ID
		err = writeDetails(ctx, q, id, t)
		if picloud.AsError(err) == nil && err != nil {
			return fmt.Errorf("write details of trigger: %w", err)
		}
		if err != nil {
			return err
		}
		return audit(ctx, q, "trigger", id, before, triggerView(t))
	})
	if s.audited(ctx, err) != nil {
		return picloud.Trigger{}, err
	}
	if t.Kind == picloud.KindQueue || t.Flow != nil { // what waits may go on now
		s.notifier.notify()
	}
	return s.Trigger(ctx, t.AppID, id)
}

// Trigger implements picloud.Triggers.
func (s *Store) Trigger(ctx context.Context, appID, id string) (picloud.Trigger, error) {
	if !isID(id) {
		return picloud.Trigger{}, picloud.NotFoundError("trigger", id)
	}
	row, err := s.queries.TriggerGet(ctx, appID, id)
	if isMissing(err) {
		return picloud.Trigger{}, picloud.NotFoundError("trigger", id)
	}
	if err != nil {
		return picloud.Trigger{}, fmt.Errorf("get trigger: %w", err)
	}
	return toTrigger(sqlc.TriggerListRow(row))
}

// ListTriggers implements picloud.Triggers.
func (s *Store) ListTriggers(ctx context.Context, appID string, filter picloud.TriggerFilter, page picloud.Page) (picloud.List[picloud.Trigger], error) {
	var none picloud.List[picloud.Trigger]
	if err := checkCursor(page.Cursor); err != nil {
		return none, err
	}
	rows, err := s.queries.TriggerList(ctx, sqlc.TriggerListParams{
		AppID: appID, Kind: string(filter.Kind), Script: filter.Script, After: optional(page.Cursor), Max: size(page),
	})
	if err != nil {
		return none, fmt.Errorf("list triggers: %w", err)
	}
	items, err := toTriggers(rows)
	if err != nil {
		return none, err
	}
	return cut(items, bounded(page), func(t picloud.Trigger) string { return t.ID }), nil
}

// DeleteTrigger implements picloud.Triggers. Firings that are queued already still run.
func (s *Store) DeleteTrigger(ctx context.Context, appID, id string) error {
	if !isID(id) {
		return picloud.NotFoundError("trigger", id)
	}
	before, err := s.Trigger(ctx, appID, id)
	if err != nil {
		return err
	}
	err = s.inTx(ctx, func(q *sqlc.Queries) error {
		if err := lockLanes(ctx, q, before); err != nil {
			return err
		}
		n, err := q.TriggerDelete(ctx, appID, id)
		if err != nil {
			return fmt.Errorf("delete trigger: %w", err)
		}
		if n == 0 {
			return picloud.NotFoundError("trigger", id)
		}
		return audit(ctx, q, "trigger", id, triggerView(before), nil)
	})
	if err == nil && (before.Kind == picloud.KindQueue || before.Flow != nil) { // what waited runs now
		s.notifier.notify()
	}
	return s.audited(ctx, err)
}

// lockLanes keeps the claims from the lanes out while what waits in that of t is changed: they lock the same rows, in another order. Call it before anything is written.
func lockLanes(ctx context.Context, q *sqlc.Queries, t picloud.Trigger) error {
	if t.Kind != picloud.KindQueue && t.Flow == nil {
		return nil
	}
	if err := q.LaneLock(ctx); err != nil {
		return fmt.Errorf("lock lanes: %w", err)
	}
	return nil
}

// triggerView is a trigger as the audit log shows it: every field that can be set.
func triggerView(t picloud.Trigger) map[string]any {
	view := map[string]any{
		"name": t.Name, "kind": t.Kind, "script": t.Script, "enabled": t.Enabled, "retry": t.Retry, "registered_by_principal": t.RegisteredByPrincipal,
		"max_depth": t.MaxDepth, "cycle": t.Cycle, "flow": t.Flow, "filter": t.Filter, "disabled_reason": t.DisabledReason,
	}
	fields := reflect.ValueOf(t)
	for i := range fields.NumField() {
		name := fields.Type().Field(i).Name
		if f := fields.Field(i); f.Kind() == reflect.Pointer && !f.IsNil() && name != "Retry" && name != "Flow" {
			view["config"] = f.Interface()
		}
	}
	return view
}

// depthColumn gives the column of a depth; 0 is NULL.
func depthColumn(depth int) *int32 {
	if depth <= 0 {
		return nil
	}
	d := int32(min(depth, math.MaxInt32))
	return &d
}

// cycleColumn gives the column of a cycle policy; "" is the default.
func cycleColumn(c picloud.Cycle) string {
	if c == "" {
		c = picloud.CycleAllow
	}
	return string(c)
}

func toTriggers(rows []sqlc.TriggerListRow) ([]picloud.Trigger, error) {
	items := make([]picloud.Trigger, len(rows))
	for i, r := range rows {
		var err error
		if items[i], err = toTrigger(r); err != nil {
			return nil, err
		}
	}
	return items, nil
}

func toTrigger(r sqlc.TriggerListRow) (picloud.Trigger, error) {
	retry, err := decodeOptional[picloud.RetryPolicy](r.Trigger.Retry)
	if err != nil {
		return picloud.Trigger{}, err
	}
	flow, err := decodeOptional[picloud.Flow](r.Trigger.Flow)
	if err != nil {
		return picloud.Trigger{}, err
	}
	t := picloud.Trigger{
		ID: r.Trigger.ID, AppID: r.Trigger.AppID, Name: r.Trigger.Name, Kind: picloud.Kind(r.Trigger.Kind), Script: r.Script,
		Enabled: r.Trigger.Enabled, Retry: retry, Filter: value(r.Trigger.Filter), Flow: flow, RegisteredByPrincipal: r.Trigger.RegisteredByPrincipal,
		DisabledReason: r.Trigger.DisabledReason, MaxDepth: int(value(r.Trigger.MaxDepth)), Cycle: picloud.Cycle(r.Trigger.Cycle),
		CreatedAt: r.Trigger.CreatedAt, UpdatedAt: r.Trigger.UpdatedAt,
	}
	return t, readDetails(&t, r)
}
