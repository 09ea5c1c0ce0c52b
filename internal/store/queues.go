package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// Send implements picloud.Queues.
func (s *Store) Send(ctx context.Context, app picloud.App, m picloud.QueueMessage, from picloud.Origin) (picloud.Published, error) {
	if most := time.Duration(s.options.ExecutionDays) * 24 * time.Hour; s.options.ExecutionDays > 0 && m.Delay > most/2 {
		return picloud.Published{}, picloud.InvalidField("delay", "may be at most half of PICLOUD_EXECUTION_RETENTION_DAYS, which is %s: the event would not live as long", most)
	}
	var w sends
	w.add(m)
	rows, err := w.write(ctx, s.queries, app.ID, app.Slug, from) // one statement is a transaction of its own
	if err != nil {
		return picloud.Published{}, err
	}
	if len(rows) == 0 {
		return picloud.Published{}, picloud.Errorf(picloud.NotFound, "queue_not_found", "no trigger of kind queue takes from %q: register one, then send", m.Queue)
	}
	s.notifier.notify()
	return picloud.Published{EventID: w.eventIDs[0], Executions: convert(rows, func(r sqlc.QueueSendManyRow) string { return r.ExecutionID })}, nil
}

// sends are the queue messages of one transaction: parallel slices, as the statement takes them.
type sends struct {
	eventIDs, queues, bodies []string
	delays                   []int64 // milliseconds
	priorities               []int16
}

func (w *sends) add(m picloud.QueueMessage) {
	w.eventIDs, w.queues, w.bodies = append(w.eventIDs, newID()), append(w.queues, m.Queue), append(w.bodies, string(m.Data))
	w.delays, w.priorities = append(w.delays, m.Delay.Milliseconds()), append(w.priorities, int16(m.Priority))
}

// sendsOf gives the queue messages among the effects, in their order.
func sendsOf(effects []picloud.Effect) sends {
	var w sends
	for _, e := range effects {
		if e.Type == picloud.EffectQueueSend {
			w.add(picloud.QueueMessage{Queue: e.Queue, Data: e.Value, Delay: e.Delay, Priority: e.Priority})
		}
	}
	return w
}

// write queues the firings of the messages.
func (w *sends) write(ctx context.Context, q *sqlc.Queries, appID, appSlug string, from picloud.Origin) ([]sqlc.QueueSendManyRow, error) {
	rows, err := q.QueueSendMany(ctx, sqlc.QueueSendManyParams{
		EventIds: w.eventIDs, Queues: w.queues, Bodies: w.bodies, DelaysMs: w.delays, Priorities: w.priorities, AppID: appID, AppSlug: appSlug,
		RootID: optional(from.RootID), ParentID: optional(from.ExecutionID), Depth: int32(from.Depth + 1), Traceparent: from.TraceParent,
	})
	if err != nil {
		return nil, fmt.Errorf("send messages: %w", err)
	}
	return rows, nil
}

// writeAll is write for the messages of a run: a queue that is not there is the script's fault, for a message may not get lost.
func (w *sends) writeAll(ctx context.Context, q *sqlc.Queries, f picloud.Firing) (fired bool, err error) {
	if len(w.queues) == 0 {
		return false, nil
	}
	rows, err := w.write(ctx, q, f.AppID, f.App, originOf(f))
	if err != nil {
		return false, err
	}
	for i, id := range w.eventIDs {
		if !slices.ContainsFunc(rows, func(r sqlc.QueueSendManyRow) bool { return r.EventID == id }) {
			return false, &picloud.ScriptError{
				Reason: picloud.ReasonScriptError, Type: "QueueNotFoundError",
				Message: fmt.Sprintf("no trigger of kind queue takes from %q: register one", w.queues[i]),
			}
		}
	}
	return true, nil
}

// claimLanes claims what waits in the lanes of queues.
func (s *Store) claimLanes(ctx context.Context, limit int32, lease time.Duration) (rows []sqlc.OutboxClaimDueRow, err error) {
	err = s.inTx(ctx, func(q *sqlc.Queries) error {
		if err := q.QueueLock(ctx); err != nil {
			return fmt.Errorf("lock lanes: %w", err)
		}
		found, err := q.OutboxClaimLanes(ctx, limit, lease.Milliseconds())
		if err != nil {
			return fmt.Errorf("claim from lanes: %w", err)
		}
		rows = convert(found, func(r sqlc.OutboxClaimLanesRow) sqlc.OutboxClaimDueRow { return sqlc.OutboxClaimDueRow(r) })
		return nil
	})
	return rows, err
}

// settle tells whoever waits for the end of f: the dead letter that it handles, and the queue in which others wait for its slot; woken says that such a slot is free. Call it in the
// transaction that ends f.
func settle(ctx context.Context, q *sqlc.Queries, f picloud.Firing, succeeded bool) (woken bool, err error) {
	if err := tellLetter(ctx, q, f, succeeded); err != nil {
		return false, err
	}
	if f.Kind != picloud.KindQueue {
		return false, nil
	}
	n, err := q.QueueSlotRelease(ctx, f.ExecutionID)
	if err != nil {
		return false, fmt.Errorf("release slot: %w", err)
	}
	return n > 0, nil
}

// settles says whether the end of f is waited for; see settle.
func settles(f picloud.Firing) bool { return f.Handles != "" || f.Kind == picloud.KindQueue }

// SilentSlots implements picloud.Slots.
func (s *Store) SilentSlots(ctx context.Context, age time.Duration, after string, limit int) ([]picloud.Slot, error) {
	rows, err := s.queries.QueueSlotListSilent(ctx, age.Milliseconds(), optional(after), int32(min(limit, 10_000)))
	if err != nil {
		return nil, fmt.Errorf("list silent slots: %w", err)
	}
	return convert(rows, func(r sqlc.QueueSlotListSilentRow) picloud.Slot {
		return picloud.Slot{ExecutionID: r.ExecutionID, AppID: r.AppID}
	}), nil
}

// ReleaseSlot implements picloud.Slots.
func (s *Store) ReleaseSlot(ctx context.Context, executionID string) error {
	n, err := s.queries.QueueSlotRelease(ctx, executionID)
	if err != nil {
		return fmt.Errorf("release slot: %w", err)
	}
	if n > 0 {
		s.notifier.notify()
	}
	return nil
}
