package store

import (
	"context"
	"fmt"
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// claimLanes claims what waits in lanes and may go.
func (s *Store) claimLanes(ctx context.Context, limit int32, lease time.Duration, but []string) (rows []sqlc.OutboxClaimDueRow, err error) {
	err = s.inTx(ctx, func(q *sqlc.Queries) error {
		if err := q.LaneLock(ctx); err != nil {
			return fmt.Errorf("lock lanes: %w", err)
		}
		if err := s.gather(ctx, q); err != nil {
			return err
		}
		found, err := q.LaneClaim(ctx, limit, but, lease.Milliseconds(), &s.process)
		if err != nil {
			return fmt.Errorf("claim from lanes: %w", err)
		}
		rows = convert(found, func(r sqlc.LaneClaimRow) sqlc.OutboxClaimDueRow { return sqlc.OutboxClaimDueRow(r) })
		return nil
	})
	return rows, err
}

// settle tells whoever waits for the end of f: the dead letter that it handles, and the lane in which others wait for its slot; woken says that such a slot is free. Call it in the
// transaction that ends f.
func settle(ctx context.Context, q *sqlc.Queries, f picloud.Firing, succeeded bool) (woken bool, err error) {
	if err := tellLetter(ctx, q, f, succeeded); err != nil {
		return false, err
	}
	if !holdsSlot(f) {
		return false, nil
	}
	n, err := q.LaneSlotRelease(ctx, f.ExecutionID)
	if err != nil {
		return false, fmt.Errorf("release slot: %w", err)
	}
	return n > 0, nil
}

// settles says whether the end of f is waited for; see settle.
func settles(f picloud.Firing) bool { return f.Handles != "" || holdsSlot(f) }

// holdsSlot says whether f left a lane: those of queues always have, in older histories too.
func holdsSlot(f picloud.Firing) bool { return f.Slot || f.Kind == picloud.KindQueue }

// SilentSlots implements picloud.Slots.
func (s *Store) SilentSlots(ctx context.Context, age time.Duration, after string, limit int) ([]picloud.Slot, error) {
	rows, err := s.queries.LaneSlotListSilent(ctx, age.Milliseconds(), optional(after), int32(min(limit, 10_000)))
	if err != nil {
		return nil, fmt.Errorf("list silent slots: %w", err)
	}
	return convert(rows, func(r sqlc.LaneSlotListSilentRow) picloud.Slot {
		return picloud.Slot{ExecutionID: r.ExecutionID, AppID: r.AppID}
	}), nil
}

// ReleaseSlot implements picloud.Slots.
func (s *Store) ReleaseSlot(ctx context.Context, executionID string) error {
	n, err := s.queries.LaneSlotRelease(ctx, executionID)
	if err != nil {
		return fmt.Errorf("release slot: %w", err)
	}
	if n > 0 {
		s.notifier.notify()
	}
	return nil
}
