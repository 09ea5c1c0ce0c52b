package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// Messages of a trigger with a batch_size wait in its lane as rows of their own (unbatched). Whoever claims from the lanes first gathers those that are due: in one transaction they leave the
// outbox, and a firing with an event of all of them takes their place, which is claimed as any other. So a batch takes one slot, and no message is in two batches or in none.

// batchKey is what the messages of one batch have in common.
type batchKey struct {
	orderingKey, replayOf string
	tried                 int32
}

// gather makes the batches that may begin. The caller holds the lock of LaneLock.
func gather(ctx context.Context, q *sqlc.Queries) error {
	rooms, err := q.BatchRooms(ctx)
	if err != nil {
		return fmt.Errorf("list triggers of batches: %w", err)
	}
	for _, r := range rooms {
		if err := gatherOf(ctx, q, r); err != nil {
			return err
		}
	}
	return nil
}

// gatherOf makes the batches of one trigger.
func gatherOf(ctx context.Context, q *sqlc.Queries, r sqlc.BatchRoomsRow) error {
	limits, err := decode[picloud.Limits](r.Limits)
	if err != nil {
		return err
	}
	due, err := q.BatchDue(ctx, r.TriggerID)
	if err != nil {
		return fmt.Errorf("list messages of batches: %w", err)
	}
	due, err = sorted(ctx, q, due)
	if err != nil {
		return err
	}
	for _, batch := range portions(due, int(r.BatchSize), cmp.Or(limits.PayloadBytes, picloud.DefaultLimits.PayloadBytes)) {
		if r.Room--; r.Room < 0 {
			break
		}
		if err := makeBatch(ctx, q, r, batch); err != nil {
			return err
		}
	}
	return nil
}

// sorted gives those of the messages that can be part of a batch. A message whose event is gone, or for which the trigger's filter has no value, goes by itself and becomes a letter.
func sorted(ctx context.Context, q *sqlc.Queries, due []sqlc.BatchDueRow) ([]sqlc.BatchDueRow, error) {
	var filtered, alone []string
	for _, m := range due {
		switch {
		case m.Bytes < 0:
			alone = append(alone, m.ExecutionID)
		case m.Filtered:
			filtered = append(filtered, m.ExecutionID)
		}
	}
	if len(filtered) == 0 && len(alone) == 0 {
		return due, nil
	}
	s, err := sift(ctx, q, filtered)
	if err != nil {
		return nil, err
	}
	alone = append(alone, s.failed...)
	if err := q.BatchRelease(ctx, nonNilText(alone)); err != nil {
		return nil, fmt.Errorf("release messages without a batch: %w", err)
	}
	return slices.DeleteFunc(due, func(m sqlc.BatchDueRow) bool {
		return slices.Contains(alone, m.ExecutionID) || slices.Contains(s.refused, m.ExecutionID)
	}), nil
}

// portions gives the batches that may begin: those that are full, by number or by the bytes of their data, and the rest of a key where one of its messages has waited for the window.
func portions(due []sqlc.BatchDueRow, size, limit int) (batches [][]sqlc.BatchDueRow) {
	groups := map[batchKey][]sqlc.BatchDueRow{}
	var order []batchKey
	for _, m := range due {
		k := batchKey{m.OrderingKey, value(m.ReplayOf), m.Tried}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], m)
	}
	for _, k := range order {
		rest := groups[k]
		if k.orderingKey != "" {
			slices.SortFunc(rest, func(a, b sqlc.BatchDueRow) int { return cmp.Compare(value(a.Turn), value(b.Turn)) })
		}
		for len(rest) > 0 {
			n, bytes := 0, 2
			for n < len(rest) && n < size && (n == 0 || bytes+framed(rest[n]) <= limit) {
				bytes += framed(rest[n])
				n++
			}
			full := n == size || n < len(rest)
			if !full && !slices.ContainsFunc(rest, func(m sqlc.BatchDueRow) bool { return m.Ripe }) {
				break
			}
			batches = append(batches, rest[:n])
			rest = rest[n:]
		}
	}
	return batches
}

// framed is the size of a message as an element of the batch's data.
func framed(m sqlc.BatchDueRow) int { return int(m.Bytes) + len(`{"id":"","data":},`) + len(m.EventID) }

// makeBatch makes one firing of the messages. A batch is part of the tree of its messages where they have one in common, else the root of its own; it is as deep as the deepest.
func makeBatch(ctx context.Context, q *sqlc.Queries, r sqlc.BatchRoomsRow, messages []sqlc.BatchDueRow) error {
	events, err := q.EventListByID(ctx, convert(messages, func(m sqlc.BatchDueRow) string { return m.EventID }))
	if err != nil {
		return fmt.Errorf("list events of messages: %w", err)
	}
	first := messages[0]
	event := picloud.Event{
		SpecVersion: "1.0", ID: newID(), Type: picloud.TypeQueueBatch, Source: "/apps/" + r.Slug + "/queue/" + r.Queue, Subject: r.Queue, Time: time.Now().UTC(),
		PartitionKey: first.OrderingKey, RootID: first.RootID, ParentID: value(first.ParentID), ReplayOf: value(first.ReplayOf),
	}
	var items []picloud.BatchMessage
	in := sqlc.BatchInsertParams{
		BatchID: newID(), AppID: r.AppID, ScriptID: r.ScriptID, TriggerID: &r.TriggerID, EventID: event.ID, ReplayOf: first.ReplayOf, Principal: r.RegisteredByPrincipal,
	}
	for _, m := range messages {
		i := slices.IndexFunc(events, func(e sqlc.Event) bool { return e.ID == m.EventID })
		made, err := messagesOf(toEvent(events[i]))
		if err != nil {
			return err
		}
		items = append(items, made...)
		in.ExecutionIds, in.MessageIds = append(in.ExecutionIds, m.ExecutionID), append(in.MessageIds, made[0].ID)
		if m.RootID != event.RootID {
			event.RootID = event.ID
		}
		if value(m.ParentID) != event.ParentID {
			event.ParentID = ""
		}
		event.Depth = max(event.Depth, int(m.Depth))
	}
	event.Data = encodeMessages(items)
	event.TraceParent = picloud.NewTrace(event.RootID)
	if err := insertEvent(ctx, q, r.AppID, event); err != nil {
		return err
	}
	in.What = fmt.Sprintf("queue %.160s batch of %d", r.Queue, len(items))
	in.RootID, in.ParentID, in.Depth = event.RootID, optional(event.ParentID), int32(event.Depth) // bounded by MaxDepth
	if err := q.BatchInsert(ctx, in); err != nil {
		return fmt.Errorf("insert batch: %w", err)
	}
	return nil
}

// messagesOf gives the messages that an event of a queue carries.
func messagesOf(e picloud.Event) ([]picloud.BatchMessage, error) {
	if e.Type != picloud.TypeQueueBatch {
		return []picloud.BatchMessage{{ID: e.ID, Data: e.Data}}, nil
	}
	var items []picloud.BatchMessage
	if err := json.Unmarshal(e.Data, &items); err != nil || len(items) == 0 { // somebody's own data of a replay
		return []picloud.BatchMessage{{ID: e.ID, Data: e.Data}}, nil //nolint:nilerr // it is a message then
	}
	return items, nil
}

// comma stands before the i-th element of a list.
func comma(i int) string {
	if i == 0 {
		return "["
	}
	return ","
}

// encodeMessages gives the data of a batch: every message as it was sent, to the letter.
func encodeMessages(items []picloud.BatchMessage) json.RawMessage {
	var out bytes.Buffer
	for i, m := range items {
		id, _ := json.Marshal(m.ID) //nolint:errchkjson // a string
		out.WriteString(comma(i) + `{"id":` + string(id) + `,"data":`)
		out.Write(m.Data)
		out.WriteByte('}')
	}
	out.WriteByte(']')
	return out.Bytes()
}
