package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// maxBacklogNames bounds the apps and the queues that a Backlog names: those with the most.
const maxBacklogNames = 500

// Backlog implements picloud.Backlogs: one round trip.
func (s *Store) Backlog(ctx context.Context) (picloud.Backlog, error) {
	b := picloud.Backlog{Outbox: map[string]int64{}, DeadLetters: map[string]int64{}}
	batch := &pgx.Batch{}
	batch.Queue(sqlc.MetricsOutbox).QueryRow(func(r pgx.Row) error {
		var due, later, lane, parked int64
		if err := r.Scan(&due, &later, &lane, &parked, &b.OldestDue); err != nil {
			return err
		}
		b.Outbox["due"], b.Outbox["later"], b.Outbox["lane"], b.Outbox["parked"] = due, later, lane, parked
		return nil
	})
	batch.Queue(sqlc.MetricsDeadLetters, int32(maxBacklogNames)).Query(func(r pgx.Rows) error {
		rows, err := pgx.CollectRows(r, pgx.RowToStructByPos[sqlc.MetricsDeadLettersRow])
		for _, row := range rows {
			b.DeadLetters[row.Slug] = row.Unresolved
		}
		return err
	})
	batch.Queue(sqlc.MetricsQueues, int32(maxBacklogNames)).Query(func(r pgx.Rows) error {
		rows, err := pgx.CollectRows(r, pgx.RowToStructByPos[sqlc.MetricsQueuesRow])
		b.Queues = convert(rows, func(row sqlc.MetricsQueuesRow) picloud.QueueBacklog {
			return picloud.QueueBacklog{App: row.Slug, Queue: row.Queue, Messages: row.Messages, OldestDue: row.OldestDueSeconds}
		})
		return err
	})
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return picloud.Backlog{}, fmt.Errorf("read backlog: %w", err)
	}
	return b, nil
}
