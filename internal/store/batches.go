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
	tooDeep               bool // they are cut: not together with those that are not
}

// gather makes the batches that may begin. The caller holds the lock of LaneLock.
func (s *Store) gather(ctx context.Context, q *sqlc.Queries) error {
	if err := q.BatchReleaseStray(ctx); err != nil {
		return fmt.Errorf("release messages of triggers without batches: %w", err)
	}
	rooms, err := q.BatchRooms(ctx)
	if err != nil {
		return fmt.Errorf("list triggers of batches: %w", err)
	}
	for _, r := range rooms {
		if err := s.gatherOf(ctx, q, r); err != nil {
			return err
		}
	}
	return nil
}

// gatherOf makes the batches of one trigger.
func (s *Store) gatherOf(ctx context.Context, q *sqlc.Queries, r sqlc.BatchRoomsRow) error {
	limits, err := decode[picloud.Limits](r.Limits)
	if err != nil {
		return err
	}
	due, err := q.BatchDue(ctx, r.TriggerID)
	if err != nil {
		return fmt.Errorf("list messages of batches: %w", err)
	}
	due, alone, err := sorted(ctx, q, due)
	if err != nil {
		return err
	}
	p := portioner{
		size: int(r.BatchSize), bytes: cmp.Or(limits.PayloadBytes, picloud.DefaultLimits.PayloadBytes), deepest: s.maxDepth(int(value(r.MaxDepth))), alone: alone,
	}
	for _, batch := range p.portions(due) {
		if r.Room--; r.Room < 0 {
			break
		}
		if err := makeBatch(ctx, q, r, batch); err != nil {
			return err
		}
	}
	return nil
}

// sorted drops the messages that the trigger's filter refuses, and gives those that can be part of no batch: whose events are gone, or for which the filter has no value. They go by
// themselves, and become letters.
func sorted(ctx context.Context, q *sqlc.Queries, due []sqlc.BatchDueRow) (left []sqlc.BatchDueRow, alone []string, err error) {
	var filtered []string
	for _, m := range due {
		switch {
		case m.Bytes < 0:
			alone = append(alone, m.ExecutionID)
		case m.Filtered:
			filtered = append(filtered, m.ExecutionID)
		}
	}
	if len(filtered) == 0 && len(alone) == 0 {
		return due, nil, nil
	}
	s, err := sift(ctx, q, filtered)
	if err != nil {
		return nil, nil, err
	}
	alone = append(alone, s.failed...)
	if err := q.BatchRelease(ctx, nonNilText(alone)); err != nil {
		return nil, nil, fmt.Errorf("release messages without a batch: %w", err)
	}
	return slices.DeleteFunc(due, func(m sqlc.BatchDueRow) bool { return slices.Contains(s.refused, m.ExecutionID) }), alone, nil
}

// portioner cuts the due messages of a trigger into batches.
type portioner struct {
	size, bytes int      // of a batch at most
	deepest     int      // depth over which messages are cut
	alone       []string // executions of messages that go by themselves
}

// portions gives the batches that may begin, those first whose first messages come first: those that are full, by number or by the bytes of their data, and those with a message that has waited
// for the window. Of an ordering key that is one: the first messages in the order of sending, as far as they can be together; what cannot be one with them closes it, for it is not to wait.
func (p portioner) portions(due []sqlc.BatchDueRow) (batches [][]sqlc.BatchDueRow) {
	groups := map[string]map[batchKey][]sqlc.BatchDueRow{} // by ordering key
	for _, m := range due {
		if groups[m.OrderingKey] == nil {
			groups[m.OrderingKey] = map[batchKey][]sqlc.BatchDueRow{}
		}
		k := batchKey{}
		if m.OrderingKey == "" {
			if slices.Contains(p.alone, m.ExecutionID) {
				continue
			}
			k = p.key(m)
		}
		groups[m.OrderingKey][k] = append(groups[m.OrderingKey][k], m)
	}
	for orderingKey, parts := range groups {
		for _, rest := range parts {
			if orderingKey != "" {
				if batch := p.head(rest); len(batch) > 0 {
					batches = append(batches, batch)
				}
				continue
			}
			for len(rest) > 0 {
				n := p.fitting(rest)
				if n < p.size && n == len(rest) && !slices.ContainsFunc(rest, p.urgent) {
					break
				}
				batches, rest = append(batches, rest[:n]), rest[n:]
			}
		}
	}
	slices.SortFunc(batches, func(a, b []sqlc.BatchDueRow) int {
		return cmp.Or(-cmp.Compare(a[0].Priority, b[0].Priority), a[0].DueAt.Compare(b[0].DueAt), cmp.Compare(a[0].ExecutionID, b[0].ExecutionID))
	})
	return batches
}

// head gives the batch that the messages of one ordering key begin with; none when there is none yet.
func (p portioner) head(messages []sqlc.BatchDueRow) []sqlc.BatchDueRow {
	slices.SortFunc(messages, func(a, b sqlc.BatchDueRow) int { return cmp.Compare(value(a.Turn), value(b.Turn)) })
	together := messages
	if i := slices.IndexFunc(messages, func(m sqlc.BatchDueRow) bool {
		return slices.Contains(p.alone, m.ExecutionID) || p.key(m) != p.key(messages[0])
	}); i >= 0 {
		together = messages[:i]
	}
	n := p.fitting(together)
	if n < p.size && n == len(messages) && !slices.ContainsFunc(messages, p.urgent) {
		return nil
	}
	return together[:n]
}

// fitting gives how many of the messages one batch takes.
func (p portioner) fitting(messages []sqlc.BatchDueRow) (n int) {
	bytes := len("[]")
	for n < len(messages) && n < p.size && (n == 0 || bytes+framed(messages[n]) <= p.bytes) {
		bytes += framed(messages[n])
		n++
	}
	return n
}

func (p portioner) key(m sqlc.BatchDueRow) batchKey {
	return batchKey{m.OrderingKey, value(m.ReplayOf), m.Tried, p.tooDeep(m)}
}

func (p portioner) tooDeep(m sqlc.BatchDueRow) bool {
	return m.ReplayOf == nil && int(m.Depth) > p.deepest
}

// urgent says whether the message waits for no others: it has waited for the window, or is cut anyway.
func (p portioner) urgent(m sqlc.BatchDueRow) bool { return m.Ripe || p.tooDeep(m) }

// framed is the size of a message as an element of the batch's data.
func framed(m sqlc.BatchDueRow) int { return int(m.Bytes) + len(`{"id":"","data":},`) + len(m.EventID) }

// makeBatch makes one firing of the messages. A batch is part of the tree of its messages where they have one in common, else the root of its own; it is as deep as the deepest.
func makeBatch(ctx context.Context, q *sqlc.Queries, r sqlc.BatchRoomsRow, messages []sqlc.BatchDueRow) error {
	messages, err := keep(ctx, q, messages)
	if err != nil || len(messages) == 0 {
		return err
	}
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

// keep locks the messages, and gives those of them that are still there and free; of an ordering key those before the first that is not.
func keep(ctx context.Context, q *sqlc.Queries, messages []sqlc.BatchDueRow) ([]sqlc.BatchDueRow, error) {
	locked, err := q.BatchLock(ctx, convert(messages, func(m sqlc.BatchDueRow) string { return m.ExecutionID }))
	if err != nil {
		return nil, fmt.Errorf("lock messages of batch: %w", err)
	}
	if len(locked) == len(messages) {
		return messages, nil
	}
	kept := make([]sqlc.BatchDueRow, 0, len(locked))
	for _, m := range messages {
		if slices.Contains(locked, m.ExecutionID) {
			kept = append(kept, m)
		} else if m.OrderingKey != "" {
			break
		}
	}
	return kept, nil
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

// asBatch gives the event of a message as the batch of it alone: what a script that is written for batches gets of a message that has never become part of one.
func asBatch(e picloud.Event) picloud.Event {
	if e.Type != picloud.TypeQueueMessage {
		return e
	}
	e.Type, e.Data = picloud.TypeQueueBatch, encodeMessages([]picloud.BatchMessage{{ID: e.ID, Data: e.Data}})
	return e
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
