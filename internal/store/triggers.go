package store

import (
	"context"
	"fmt"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// CreateTrigger implements picloud.Triggers.
func (s *Store) CreateTrigger(ctx context.Context, t picloud.Trigger) (picloud.Trigger, error) {
	retry, err := encode(t.Retry)
	if err != nil {
		return picloud.Trigger{}, err
	}
	return s.writeTrigger(ctx, t, func(q *sqlc.Queries) (sqlc.Trigger, error) {
		return q.TriggerInsert(ctx, sqlc.TriggerInsertParams{
			AppID: t.AppID, Name: t.Name, Kind: string(t.Kind), Enabled: t.Enabled, Retry: retry,
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
	if _, err := s.Trigger(ctx, t.AppID, t.ID); err != nil {
		return picloud.Trigger{}, err
	}
	return s.writeTrigger(ctx, t, func(q *sqlc.Queries) (sqlc.Trigger, error) {
		return q.TriggerUpdate(ctx, sqlc.TriggerUpdateParams{
			ID: t.ID, AppID: t.AppID, Name: t.Name, Enabled: t.Enabled, Retry: retry, Script: t.Script,
		})
	})
}

// writeTrigger writes the common columns by put and the details of the kind, in one transaction.
func (s *Store) writeTrigger(ctx context.Context, t picloud.Trigger, put func(*sqlc.Queries) (sqlc.Trigger, error)) (picloud.Trigger, error) {
	var id string
	err := s.inTx(ctx, func(q *sqlc.Queries) error {
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
		return err
	})
	if err != nil {
		return picloud.Trigger{}, err
	}
	if t.Kind == picloud.KindQueue { // its messages may go on now
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
	n, err := s.queries.TriggerDelete(ctx, appID, id)
	if err != nil {
		return fmt.Errorf("delete trigger: %w", err)
	}
	if n == 0 {
		return picloud.NotFoundError("trigger", id)
	}
	return nil
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
	t := picloud.Trigger{
		ID: r.Trigger.ID, AppID: r.Trigger.AppID, Name: r.Trigger.Name, Kind: picloud.Kind(r.Trigger.Kind), Script: r.Script,
		Enabled: r.Trigger.Enabled, Retry: retry, RegisteredByPrincipal: r.Trigger.RegisteredByPrincipal,
		CreatedAt: r.Trigger.CreatedAt, UpdatedAt: r.Trigger.UpdatedAt,
	}
	readDetails(&t, r)
	return t, nil
}
