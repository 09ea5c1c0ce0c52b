package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// Enqueue implements picloud.Outbox.
func (s *Store) Enqueue(ctx context.Context, f picloud.Firing, e picloud.Event) error {
	err := s.inTx(ctx, func(q *sqlc.Queries) error {
		if err := insertEvent(ctx, q, f.AppID, e); err != nil {
			return err
		}
		return insertFiring(ctx, q, f, "", "")
	})
	if err == nil {
		s.notifier.notify()
	}
	return err
}

// KeepEvent implements picloud.Outbox.
func (s *Store) KeepEvent(ctx context.Context, appID string, e picloud.Event) error {
	return insertEvent(ctx, s.queries, appID, e)
}

// insertFiring writes the outbox row of f. Version 0 is the version that is active when the row is claimed; lane is the queue trigger whose turn it waits for, "" = none;
// orderingKey is its key there.
func insertFiring(ctx context.Context, q *sqlc.Queries, f picloud.Firing, lane, orderingKey string) error {
	var version *int32
	if f.Version != 0 {
		v := int32(f.Version) // a number of script_versions
		version = &v
	}
	err := q.OutboxInsert(ctx, sqlc.OutboxInsertParams{
		ExecutionID: f.ExecutionID, AppID: f.AppID, ScriptID: f.ScriptID, Version: version, TriggerID: optional(f.TriggerID),
		Kind: string(f.Kind), EventID: f.EventID, What: f.What, RootID: f.RootID, ParentID: optional(f.ParentID),
		Depth: int32(f.Depth), ReplayOf: optional(f.ReplayOf), Principal: f.Principal, Lane: optional(lane), OrderingKey: orderingKey, // bounded by MaxDepth
	})
	if err != nil {
		return fmt.Errorf("insert outbox row: %w", err)
	}
	return nil
}

// parkedAtATime bounds what one claim parks of paused apps: few claims take even a long backlog out of the way.
const parkedAtATime = 5000

// ClaimDue implements picloud.Dispatching: one round trip where nothing waits in lanes.
func (s *Store) ClaimDue(ctx context.Context, limit int, lease time.Duration, but ...string) ([]picloud.Firing, error) {
	count := int32(min(limit, 10_000))
	but = append([]string{}, but...) // no NULL
	var rows []sqlc.OutboxClaimDueRow
	var lanes bool
	batch := &pgx.Batch{}
	batch.Queue(sqlc.OutboxPark, int32(parkedAtATime))
	batch.Queue(sqlc.OutboxClaimDue, count, but, lease.Milliseconds(), &s.process).Query(func(r pgx.Rows) (err error) {
		rows, err = pgx.CollectRows(r, pgx.RowToStructByPos[sqlc.OutboxClaimDueRow])
		return err
	})
	batch.Queue(sqlc.LaneDue).QueryRow(func(r pgx.Row) error { return r.Scan(&lanes) })
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("claim due firings: %w", err)
	}
	firings, err := s.open(ctx, rows)
	if err != nil {
		return nil, err // what is claimed comes due again when its lease ends
	}
	firings, admitted, err := s.admitHeld(ctx, firings, rows)
	if err != nil {
		return nil, err
	}
	priorities := map[string]int16{}
	if lanes || admitted {
		rows, err := s.claimLanes(ctx, count, lease, but)
		if err != nil {
			return nil, err
		}
		turns, err := s.open(ctx, rows)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			priorities[r.ExecutionID] = r.Priority
		}
		firings = append(firings, turns...)
	}
	return inTurn(firings, priorities), nil
}

// inTurn puts the apps one beside the other: the first firing of each, then the second of each, and so on; those of one app by priority, else in their order.
func inTurn(firings []picloud.Firing, priorities map[string]int16) []picloud.Firing {
	slices.SortStableFunc(firings, func(a, b picloud.Firing) int {
		return cmp.Compare(priorities[b.ExecutionID], priorities[a.ExecutionID])
	})
	place, seen := make(map[string]int, len(firings)), map[string]int{}
	for _, f := range firings {
		place[f.ExecutionID] = seen[f.AppID]
		seen[f.AppID]++
	}
	slices.SortStableFunc(firings, func(a, b picloud.Firing) int { return cmp.Compare(place[a.ExecutionID], place[b.ExecutionID]) })
	return firings
}

// open makes firings of claimed rows, those that pass the filters of their triggers.
func (s *Store) open(ctx context.Context, rows []sqlc.OutboxClaimDueRow) ([]picloud.Firing, error) {
	firings := make([]picloud.Firing, len(rows))
	var filtered []string
	for i, r := range rows {
		var err error
		if firings[i], err = s.toFiring(r); err != nil {
			return nil, err
		}
		if r.Filtered {
			filtered = append(filtered, r.ExecutionID)
		}
	}
	return s.siftClaimed(ctx, firings, filtered)
}

func (s *Store) toFiring(r sqlc.OutboxClaimDueRow) (picloud.Firing, error) {
	retry, err := s.retryPolicy(r.Retry)
	if err != nil {
		return picloud.Firing{}, err
	}
	limits, err := decode[picloud.Limits](r.Limits)
	if err != nil {
		return picloud.Firing{}, err
	}
	retry.MaximumAttempts = max(retry.MaximumAttempts-int(r.Tried), 1)
	f := picloud.Firing{
		ExecutionID: r.ExecutionID, AppID: r.AppID, App: r.App, ScriptID: r.ScriptID, Script: r.Script, Version: int(r.Version), Tried: int(r.Tried),
		TriggerID: value(r.TriggerID), Trigger: r.Trigger, Kind: picloud.Kind(r.Kind), EventID: r.EventID, What: r.What,
		RootID: r.RootID, ParentID: value(r.ParentID), Depth: int(r.Depth), MaxDepth: s.maxDepth(int(value(r.MaxDepth))),
		Denied: r.Denied, ReplayOf: value(r.ReplayOf), Handles: value(r.Handles), Slot: r.Lane != nil, Batched: r.Batched && r.Kind == string(picloud.KindQueue), Principal: r.Principal, Wall: limits.Wall, Retry: retry, QueuedAt: r.CreatedAt.UTC(),
	}
	switch {
	case r.Cut:
		f.Overspent = s.options.Budget.SpentExecutions()
	case f.Kind == picloud.KindDeadLetter: // a handler runs when all else is cut
	case f.ReplayOf != "": // a person asks for it: it runs, and what it fires is under the guards again
		f.MaxDepth = max(f.MaxDepth, f.Depth)
	default:
		f.Overspent = s.options.Budget.Spent(r.TreeEffects, time.Duration(r.TreeCpuUs)*time.Microsecond)
	}
	return f, nil
}

// maxDepth gives the depth over which a trigger's firings are cut; 0 = it has none of its own.
func (s *Store) maxDepth(own int) int {
	if own <= 0 {
		return s.options.MaxDepth
	}
	return min(own, s.options.MaxDepth)
}

// retryPolicy reads the policy of a trigger; NULL is the instance's default.
func (s *Store) retryPolicy(column []byte) (picloud.RetryPolicy, error) {
	own, err := decodeOptional[picloud.RetryPolicy](column)
	if err != nil || own == nil {
		return s.options.Retry, err
	}
	return *own, nil
}

// DeleteFirings implements picloud.Dispatching.
func (s *Store) DeleteFirings(ctx context.Context, executionIDs []string) error {
	batch := &pgx.Batch{}
	batch.Queue(sqlc.OutboxDeleteMany, executionIDs)
	batch.Queue(sqlc.LaneSlotReleaseEnded, executionIDs)
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("delete outbox rows: %w", err)
	}
	return nil
}

// ReclaimFirings implements picloud.Dispatching.
func (s *Store) ReclaimFirings(ctx context.Context) (int, error) {
	n, err := s.queries.OutboxReclaim(ctx, &s.process)
	if err != nil {
		return 0, fmt.Errorf("reclaim firings: %w", err)
	}
	return int(n), nil
}

// RescheduleFirings implements picloud.Dispatching.
func (s *Store) RescheduleFirings(ctx context.Context, executionIDs []string, delay time.Duration) error {
	if err := s.queries.OutboxRescheduleMany(ctx, delay.Milliseconds(), executionIDs); err != nil {
		return fmt.Errorf("reschedule outbox rows: %w", err)
	}
	return nil
}

// NextDue implements picloud.Dispatching.
func (s *Store) NextDue(ctx context.Context) (time.Duration, bool, error) {
	row, err := s.queries.OutboxNextDue(ctx)
	if err != nil {
		return 0, false, fmt.Errorf("read next due firing: %w", err)
	}
	return time.Duration(row.InMs * float64(time.Millisecond)), row.Waiting, nil
}
