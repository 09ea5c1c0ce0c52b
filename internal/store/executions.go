package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// Execution implements picloud.Executions.
func (s *Store) Execution(ctx context.Context, appID, id string) (picloud.Execution, error) {
	if !isID(id) {
		return picloud.Execution{}, picloud.NotFoundError("execution", id)
	}
	// The outbox is asked first: a firing leaves it before its execution ends, never the other way round.
	queued, err := s.queries.OutboxGet(ctx, appID, id)
	if err != nil && !isMissing(err) {
		return picloud.Execution{}, fmt.Errorf("get queued execution: %w", err)
	}
	isQueued := err == nil
	row, err := s.queries.ExecutionGet(ctx, id, appID)
	var x picloud.Execution
	switch {
	case err == nil:
		if x, err = toExecution(row); err != nil {
			return picloud.Execution{}, err
		}
	case !isMissing(err):
		return picloud.Execution{}, fmt.Errorf("get execution: %w", err)
	case isQueued:
		x = toQueued(sqlc.OutboxListRow(queued))
		row.EventID = queued.EventID
	default:
		batch, err := s.queries.BatchOf(ctx, id, appID)
		if isMissing(err) || batch == id {
			return picloud.Execution{}, picloud.NotFoundError("execution", id)
		}
		if err != nil {
			return picloud.Execution{}, fmt.Errorf("get batch of message: %w", err)
		}
		x, err := s.Execution(ctx, appID, batch)
		if picloud.ErrorCode(err) == "execution_not_found" { // it has left the outbox and has not ended
			return picloud.Execution{ID: batch, AppID: appID, Status: picloud.StatusRunning, Kind: picloud.KindQueue}, nil
		}
		return x, err
	}
	if x.Event, err = findEvent(ctx, s.queries, appID, row.EventID); err != nil {
		return picloud.Execution{}, err
	}
	x.Attempts, err = s.Attempts(ctx, id)
	return x, err
}

// Attempts gives the failed attempts of an execution so far, oldest first.
func (s *Store) Attempts(ctx context.Context, executionID string) ([]picloud.Attempt, error) {
	rows, err := s.queries.ExecutionAttemptList(ctx, executionID)
	if err != nil {
		return nil, fmt.Errorf("list attempts: %w", err)
	}
	attempts := make([]picloud.Attempt, len(rows))
	for i, r := range rows {
		failure, err := decodeOptional[picloud.ScriptError](r.Error)
		if err != nil {
			return nil, err
		}
		logs, err := decode[[]picloud.LogLine](r.Logs)
		if err != nil {
			return nil, err
		}
		attempts[i] = picloud.Attempt{
			Attempt: int(r.Attempt), Error: failure, Logs: logs, StartedAt: r.StartedAt.UTC(), FinishedAt: r.FinishedAt.UTC(),
			RetryAfter: time.Duration(r.RetryAfterMs) * time.Millisecond, Clock: value(r.Clock).UTC(), Seed: value(r.Seed),
		}
	}
	return attempts, nil
}

// Progress implements picloud.Executions.
func (s *Store) Progress(ctx context.Context, x picloud.Execution) (picloud.Execution, error) {
	var err error
	if x.Event == nil && x.EventID != "" {
		if x.Event, err = findEvent(ctx, s.queries, x.AppID, x.EventID); err != nil {
			return x, err
		}
	}
	if x.Attempts, err = s.Attempts(ctx, x.ID); err != nil || len(x.Attempts) == 0 {
		return x, err
	}
	last := x.Attempts[len(x.Attempts)-1]
	x.Logs, x.Attempt = last.Logs, last.Attempt
	return x, nil
}

// CancelQueued implements picloud.Executions.
func (s *Store) CancelQueued(ctx context.Context, appID, id string) (picloud.Execution, error) {
	if !isID(id) {
		return picloud.Execution{}, picloud.NotFoundError("execution", id)
	}
	err := s.inTx(ctx, func(q *sqlc.Queries) error {
		row, err := q.OutboxTake(ctx, appID, id)
		if isMissing(err) {
			return picloud.NotFoundError("execution", id)
		}
		if err != nil {
			return fmt.Errorf("take outbox row: %w", err)
		}
		f := picloud.Firing{
			ExecutionID: id, AppID: appID, Script: row.Script, Version: int(row.PresentVersion), TriggerID: value(row.TriggerID), Trigger: row.Trigger,
			Kind: picloud.Kind(row.Kind), EventID: row.EventID, RootID: row.RootID, ParentID: value(row.ParentID), Depth: int(row.Depth),
			ReplayOf: value(row.ReplayOf), Handles: value(row.Handles), Principal: row.Principal, QueuedAt: row.CreatedAt,
		}
		params, err := executionRow(f, picloud.Committed{Status: picloud.StatusCanceled}, picloud.Outcome{}, 0, row.CreatedAt)
		if err != nil {
			return err
		}
		if err := insertExecution(ctx, q, f, params); errors.Is(err, errCommittedBefore) { // it has ended already: only its row is to go
			return nil
		} else if err != nil {
			return err
		}
		_, err = settle(ctx, q, f, false)
		return err
	})
	if err != nil {
		return picloud.Execution{}, err
	}
	return s.Execution(ctx, appID, id)
}

// ListExecutions implements picloud.Executions.
func (s *Store) ListExecutions(ctx context.Context, appID string, filter picloud.ExecutionFilter, page picloud.Page) (picloud.List[picloud.Execution], error) {
	var none picloud.List[picloud.Execution]
	if err := checkCursor(page.Cursor); err != nil {
		return none, err
	}
	if filter.Root != "" && !isID(filter.Root) {
		return none, picloud.InvalidField("root", "%q is no id", filter.Root)
	}
	var items []picloud.Execution
	if filter.Status == "" || filter.Status == picloud.StatusQueued {
		rows, err := s.queries.OutboxList(ctx, sqlc.OutboxListParams{
			AppID: appID, Before: optional(page.Cursor), Root: optional(filter.Root), Since: since(filter.Since),
			Kind: string(filter.Kind), Script: filter.Script, Trigger: filter.Trigger, Max: size(page),
		})
		if err != nil {
			return none, fmt.Errorf("list queued executions: %w", err)
		}
		items = convert(rows, toQueued)
	}
	if filter.Status == "" || (filter.Status.Final()) {
		rows, err := s.queries.ExecutionList(ctx, sqlc.ExecutionListParams{
			AppID: appID, Before: optional(page.Cursor), Root: optional(filter.Root), Since: since(filter.Since), Status: string(filter.Status),
			Kind: string(filter.Kind), Script: filter.Script, Trigger: filter.Trigger, Max: size(page),
		})
		if err != nil {
			return none, fmt.Errorf("list executions: %w", err)
		}
		for _, r := range rows {
			x, err := toExecution(sqlc.Execution{
				ID: r.ID, AppID: appID, Status: r.Status, Script: r.Script, Version: r.Version, TriggerID: r.TriggerID, Trigger: r.Trigger, Kind: r.Kind,
				EventID: r.EventID, Error: r.Error, Attempts: r.Attempts, Depth: r.Depth, RootID: r.RootID, ParentID: r.ParentID, ReplayOf: r.ReplayOf,
				Principal: r.Principal, QueuedAt: r.QueuedAt, StartedAt: r.StartedAt, FinishedAt: r.FinishedAt,
			})
			if err != nil {
				return none, err
			}
			items = append(items, x)
		}
	}
	// An execution may be in both for the moment between its start and its outbox row's end: the finished one counts, and sorts first.
	slices.SortStableFunc(items, func(a, b picloud.Execution) int {
		if c := strings.Compare(b.ID, a.ID); c != 0 {
			return c
		}
		switch {
		case a.Status.Final() == b.Status.Final():
			return 0
		case a.Status.Final():
			return -1
		default:
			return 1
		}
	})
	items = slices.CompactFunc(items, func(a, b picloud.Execution) bool { return a.ID == b.ID })
	return cut(items, bounded(page), func(x picloud.Execution) string { return x.ID }), nil
}

// ListAbandoned gives the executions of an app whose callers were gone when they ended, newest first.
func (s *Store) ListAbandoned(ctx context.Context, appID string, page picloud.Page) (picloud.List[picloud.AbandonedExecution], error) {
	var none picloud.List[picloud.AbandonedExecution]
	if err := checkCursor(page.Cursor); err != nil {
		return none, err
	}
	rows, err := s.queries.AbandonedExecutionList(ctx, appID, optional(page.Cursor), size(page))
	if err != nil {
		return none, fmt.Errorf("list abandoned executions: %w", err)
	}
	items := make([]picloud.AbandonedExecution, len(rows))
	for i, r := range rows {
		end, err := toCommitted(r.Status, r.Result, r.Error)
		if err != nil {
			return none, err
		}
		items[i] = picloud.AbandonedExecution{ExecutionID: r.ExecutionID, Script: r.Script, Trigger: r.Trigger, Committed: end, AbandonedAt: r.AbandonedAt.UTC()}
	}
	return cut(items, bounded(page), func(x picloud.AbandonedExecution) string { return x.ExecutionID }), nil
}

// CountAbandoned implements picloud.Abandoned.
func (s *Store) CountAbandoned(ctx context.Context, appID string) (int64, error) {
	n, err := s.queries.AbandonedExecutionCount(ctx, appID)
	if err != nil {
		return 0, fmt.Errorf("count abandoned executions: %w", err)
	}
	return n, nil
}

// Received implements picloud.Abandoned.
func (s *Store) Received(ctx context.Context, executionID string) error {
	if err := s.queries.AbandonedExecutionReceived(ctx, executionID); err != nil {
		return fmt.Errorf("take abandoned execution back: %w", err)
	}
	return nil
}

// Attach implements picloud.Idempotency.
func (s *Store) Attach(ctx context.Context, appID, key, executionID string) (string, bool, error) {
	first, err := s.queries.IdempotencyKeyAttach(ctx, appID, key, executionID)
	if err != nil {
		return "", false, fmt.Errorf("attach idempotency key: %w", err)
	}
	return first, first != executionID, nil
}

func toQueued(r sqlc.OutboxListRow) picloud.Execution {
	return picloud.Execution{
		ID: r.ExecutionID, AppID: r.AppID, Status: picloud.StatusQueued, Script: r.Script, Version: int(r.Version), TriggerID: value(r.TriggerID),
		Trigger: r.Trigger, Kind: picloud.Kind(r.Kind), EventID: r.EventID, Depth: int(r.Depth), RootID: r.RootID, ParentID: value(r.ParentID),
		ReplayOf: value(r.ReplayOf), Principal: r.Principal, QueuedAt: r.CreatedAt.UTC(),
	}
}

func toExecution(r sqlc.Execution) (picloud.Execution, error) {
	x := picloud.Execution{
		ID: r.ID, AppID: r.AppID, Status: picloud.Status(r.Status), Script: r.Script, Version: int(r.Version), TriggerID: value(r.TriggerID),
		Trigger: r.Trigger, Kind: picloud.Kind(r.Kind), EventID: r.EventID, Attempt: int(r.Attempts), Depth: int(r.Depth), RootID: r.RootID, ParentID: value(r.ParentID),
		ReplayOf: value(r.ReplayOf), Principal: r.Principal, QueuedAt: r.QueuedAt.UTC(), StartedAt: r.StartedAt.UTC(), FinishedAt: r.FinishedAt.UTC(),
		Seed: value(r.Seed),
	}
	if r.Clock != nil {
		x.Clock = r.Clock.UTC()
	}
	var err error
	if x.Result, err = decodeOptional[picloud.Result](r.Result); err != nil {
		return x, err
	}
	if x.Error, err = decodeOptional[picloud.ScriptError](r.Error); err != nil {
		return x, err
	}
	if x.Logs, err = decode[[]picloud.LogLine](r.Logs); err != nil {
		return x, err
	}
	x.Effects, err = decode[[]picloud.Effect](r.Effects)
	return x, err
}
