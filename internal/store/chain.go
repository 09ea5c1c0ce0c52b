package store

import (
	"context"
	"fmt"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// Chain implements picloud.Chains. The outbox is read first: a firing leaves it before its execution ends, never the other way round.
func (s *Store) Chain(ctx context.Context, appID, rootID string, limit int) (picloud.Chain, error) {
	var chain picloud.Chain
	most := int32(min(limit, 10_000)) + 1
	queued, err := s.queries.ChainQueued(ctx, appID, rootID, most)
	if err != nil {
		return chain, fmt.Errorf("list queued executions of tree: %w", err)
	}
	ended, err := s.queries.ChainEnded(ctx, rootID, appID, most)
	if err != nil {
		return chain, fmt.Errorf("list executions of tree: %w", err)
	}
	chain.More = len(queued) > limit || len(ended) > limit
	for _, r := range ended[:min(len(ended), limit)] {
		chain.Links = append(chain.Links, picloud.Link{
			Execution: picloud.Execution{
				ID: r.ID, AppID: appID, Status: picloud.Status(r.Status), Script: r.Script, Version: int(r.Version), Trigger: r.Trigger, Kind: picloud.Kind(r.Kind),
				EventID: r.EventID, Depth: int(r.Depth), RootID: rootID, ParentID: value(r.ParentID), ReplayOf: value(r.ReplayOf), Principal: r.Principal,
				QueuedAt: r.QueuedAt.UTC(), StartedAt: r.StartedAt.UTC(), FinishedAt: r.FinishedAt.UTC(),
			},
			What: picloud.StepOf(r.Trigger, r.Script, r.Source, r.Subject).What, DeadLetterID: value(r.DeadLetterID),
		})
	}
	for _, r := range queued[:min(len(queued), limit)] {
		chain.Links = append(chain.Links, picloud.Link{
			Execution: picloud.Execution{
				ID: r.ExecutionID, AppID: appID, Status: picloud.StatusQueued, Script: r.Script, Version: int(r.Version), Trigger: r.Trigger, Kind: picloud.Kind(r.Kind),
				EventID: r.EventID, Depth: int(r.Depth), RootID: rootID, ParentID: value(r.ParentID), ReplayOf: value(r.ReplayOf), Principal: r.Principal, QueuedAt: r.CreatedAt.UTC(),
			},
			What: picloud.StepOf(r.Trigger, r.Script, r.Source, r.Subject).What,
		})
	}
	spent, err := s.queries.RootBudgetGet(ctx, rootID, appID)
	if err != nil && !isMissing(err) {
		return chain, fmt.Errorf("get budget of tree: %w", err)
	}
	if most := int64(s.options.Budget.Executions); most > 0 {
		chain.Cut = max(0, spent.Executions-most-1)
	}
	return chain, nil
}

// Whats implements picloud.Chains.
func (s *Store) Whats(ctx context.Context, appID string, eventIDs []string) (map[string]string, error) {
	if len(eventIDs) == 0 {
		return map[string]string{}, nil
	}
	rows, err := s.queries.ChainEvents(ctx, appID, eventIDs)
	if err != nil {
		return nil, fmt.Errorf("list events of tree: %w", err)
	}
	whats := make(map[string]string, len(rows))
	for _, r := range rows {
		whats[r.ID] = picloud.StepOf("", "", r.Source, r.Subject).What
	}
	return whats, nil
}

// CancelQueuedMany implements picloud.Executions.
func (s *Store) CancelQueuedMany(ctx context.Context, appID string, filter picloud.ExecutionFilter, limit int) (int, error) {
	n, err := s.queries.OutboxCancelMany(ctx, sqlc.OutboxCancelManyParams{
		AppID: appID, Root: optional(filter.Root), Since: since(filter.Since), Kind: string(filter.Kind), Script: filter.Script, Trigger: filter.Trigger, Max: int32(min(limit, 10_000)),
	})
	if err != nil {
		return 0, fmt.Errorf("cancel queued executions: %w", err)
	}
	if n > 0 {
		s.notifier.notify() // others may wait for the lanes that they were in
	}
	return int(n), nil
}
