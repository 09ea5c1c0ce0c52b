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
	if err := s.checkDelay("delay", m.Delay); err != nil {
		return picloud.Published{}, err
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
	executions, filtered := sentFirings(rows)
	executions = s.siftMade(ctx, filtered, executions)
	s.notifier.notify()
	return picloud.Published{EventID: w.eventIDs[0], Executions: executions}, nil
}

// ListQueues implements picloud.Queues.
func (s *Store) ListQueues(ctx context.Context, appID string, page picloud.Page) (picloud.List[picloud.QueueState], error) {
	rows, err := s.queries.QueueList(ctx, appID, optional(page.Cursor), size(page))
	if err != nil {
		return picloud.List[picloud.QueueState]{}, fmt.Errorf("list queues: %w", err)
	}
	items := convert(rows, func(r sqlc.QueueListRow) picloud.QueueState {
		q := picloud.QueueState{Queue: r.Queue, Triggers: r.Triggers, Messages: r.Messages, Delayed: r.Delayed, Running: r.Running}
		if r.OldestSeconds >= 0 {
			age := time.Duration(r.OldestSeconds * float64(time.Second))
			q.Oldest = &age
		}
		return q
	})
	return cut(items, bounded(page), func(q picloud.QueueState) string { return q.Queue }), nil
}

// sends are the queue messages of one transaction: parallel slices, as the statement takes them.
type sends struct {
	eventIDs, queues, bodies, orderingKeys []string
	delays                                 []int64 // milliseconds
	priorities                             []int16
}

func (w *sends) add(m picloud.QueueMessage) {
	w.eventIDs, w.queues, w.bodies = append(w.eventIDs, newID()), append(w.queues, m.Queue), append(w.bodies, string(m.Data))
	w.delays, w.priorities = append(w.delays, m.Delay.Milliseconds()), append(w.priorities, int16(m.Priority))
	w.orderingKeys = append(w.orderingKeys, m.OrderingKey)
}

// sentFirings gives the ids of the executions; filtered says that there are filters to pass.
func sentFirings(rows []sqlc.QueueSendManyRow) (executions []string, filtered bool) {
	for _, r := range rows {
		executions, filtered = append(executions, r.ExecutionID), filtered || r.Filtered
	}
	return executions, filtered
}

// sendsOf gives the queue messages among the effects, in their order.
func sendsOf(effects []picloud.Effect) sends {
	var w sends
	for _, e := range effects {
		if e.Type == picloud.EffectQueueSend {
			w.add(picloud.QueueMessage{Queue: e.Queue, Data: e.Value, Delay: e.Delay, Priority: e.Priority, OrderingKey: e.OrderingKey})
		}
	}
	return w
}

// write queues the firings of the messages.
func (w *sends) write(ctx context.Context, q *sqlc.Queries, appID, appSlug string, from picloud.Origin) ([]sqlc.QueueSendManyRow, error) {
	rows, err := q.QueueSendMany(ctx, sqlc.QueueSendManyParams{
		EventIds: w.eventIDs, Queues: w.queues, Bodies: w.bodies, DelaysMs: w.delays, Priorities: w.priorities, OrderingKeys: w.orderingKeys, AppID: appID, AppSlug: appSlug,
		RootID: optional(from.RootID), ParentID: optional(from.ExecutionID), Depth: int32(from.Depth + 1), Traceparent: from.TraceParent,
	})
	if err != nil {
		return nil, fmt.Errorf("send messages: %w", err)
	}
	return rows, nil
}

// writeAll is write for the messages of a run: a queue that is not there is the script's fault, for a message may not get lost.
func (w *sends) writeAll(ctx context.Context, q *sqlc.Queries, f picloud.Firing) ([]sqlc.QueueSendManyRow, error) {
	if len(w.queues) == 0 {
		return nil, nil
	}
	rows, err := w.write(ctx, q, f.AppID, f.App, originOf(f))
	if err != nil {
		return nil, err
	}
	for i, id := range w.eventIDs {
		if !slices.ContainsFunc(rows, func(r sqlc.QueueSendManyRow) bool { return r.EventID == id }) {
			return nil, &picloud.ScriptError{
				Reason: picloud.ReasonScriptError, Type: "QueueNotFoundError",
				Message: fmt.Sprintf("no trigger of kind queue takes from %q: register one", w.queues[i]),
			}
		}
	}
	return rows, nil
}
