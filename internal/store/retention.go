package store

import (
	"context"
	"fmt"
)

// partitionedTables have a partition a day.
var partitionedTables = []string{"events", "executions", "execution_attempts"}

// partitionsAhead is how many days have their partitions made in advance: a server may be off for that long.
const partitionsAhead = 14

// MaintainPartitions makes the partitions of the next days and drops those past PICLOUD_EXECUTION_RETENTION_DAYS. It may be repeated.
func (s *Store) MaintainPartitions(ctx context.Context) error {
	for _, table := range partitionedTables {
		if err := s.queries.PartitionsCreate(ctx, table, partitionsAhead+1); err != nil {
			return fmt.Errorf("create partitions of %s: %w", table, err)
		}
		dropped, err := s.queries.PartitionsDrop(ctx, table, int32(s.options.ExecutionDays)) // bounded by config
		if err != nil {
			return fmt.Errorf("drop partitions of %s: %w", table, err)
		}
		if dropped > 0 {
			s.options.Log.WithField("table", table).WithField("partitions", dropped).Info("dropped partitions past their retention")
		}
	}
	return nil
}

// CollectGarbage deletes dead letters, bulk replays, abandoned executions, idempotency keys and the budgets of trees past their retention; unresolved letters have their own, and are
// counted. It may be repeated.
func (s *Store) CollectGarbage(ctx context.Context) error {
	dropped, err := s.queries.DeadLetterDropUnresolved(ctx, int32(s.options.UnresolvedLetterDays)) // bounded by config
	if err != nil {
		return fmt.Errorf("drop unresolved dead letters: %w", err)
	}
	for _, d := range dropped {
		s.options.Log.WithField("app", d.Slug).WithField("dead_letters", d.Letters).Warn("dropped unresolved dead letters past their retention")
	}
	if _, err := s.queries.DeadLetterDeleteResolved(ctx, int32(s.options.DeadLetterDays)); err != nil { // bounded by config
		return fmt.Errorf("delete old dead letters: %w", err)
	}
	if _, err := s.queries.BulkReplayDeleteOld(ctx, int32(s.options.DeadLetterDays)); err != nil { // bounded by config
		return fmt.Errorf("delete old bulk replays: %w", err)
	}
	if _, err := s.queries.AbandonedExecutionDeleteOld(ctx, int32(s.options.AbandonedExecDays)); err != nil { // bounded by config
		return fmt.Errorf("delete old abandoned executions: %w", err)
	}
	if _, err := s.queries.IdempotencyKeyDeleteOld(ctx); err != nil {
		return fmt.Errorf("delete old idempotency keys: %w", err)
	}
	if _, err := s.queries.RootBudgetDeleteOld(ctx, int32(s.options.ExecutionDays)); err != nil { // bounded by config
		return fmt.Errorf("delete old budgets: %w", err)
	}
	if _, err := s.queries.BatchMemberDeleteOld(ctx, int32(s.options.ExecutionDays)); err != nil { // bounded by config
		return fmt.Errorf("delete old messages of batches: %w", err)
	}
	return nil
}
