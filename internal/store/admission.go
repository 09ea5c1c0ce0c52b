package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/picloud/picloud/internal/filter"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// A firing of a trigger with flow control is written as any other: who writes it need not know. Whoever claims it first finds the trigger's flow beside it, in the statement that is made
// anyway, and instead of starting it admits it to its lane: there it gets its keys (which need the event, and CEL, which is no SQL), its time and its priority.

// admission is one firing on its way into its lane.
type admission struct {
	row       sqlc.OutboxClaimDueRow
	flow      picloud.Flow
	keys      map[string]string // values, by the names of the fields; the key of a debounce that has none is there too
	ready     time.Time         // when it may go, as far as time is concerned
	overtaken string            // the execution whose event has taken its place
}

// admitHeld admits those of the claimed firings whose triggers have flow control, and gives the others. What is refused is not worth a lane: it goes to its end at once.
func (s *Store) admitHeld(ctx context.Context, firings []picloud.Firing, rows []sqlc.OutboxClaimDueRow) (free []picloud.Firing, admitted bool, err error) {
	if !slices.ContainsFunc(rows, func(r sqlc.OutboxClaimDueRow) bool { return r.Flow != nil }) {
		return firings, false, nil
	}
	var held []sqlc.OutboxClaimDueRow
	for _, f := range firings {
		i := slices.IndexFunc(rows, func(r sqlc.OutboxClaimDueRow) bool { return r.ExecutionID == f.ExecutionID })
		if rows[i].Flow == nil || f.Refusal != nil {
			free = append(free, f)
		} else {
			held = append(held, rows[i])
		}
	}
	return free, len(held) > 0, s.admit(ctx, held)
}

// admit moves firings into the lanes of their triggers. What is not moved comes due again when its lease ends.
func (s *Store) admit(ctx context.Context, rows []sqlc.OutboxClaimDueRow) error {
	list := make([]*admission, len(rows))
	for i, r := range rows {
		flow, err := decode[picloud.Flow](r.Flow)
		if err != nil {
			return err
		}
		list[i] = &admission{row: r, flow: flow, ready: r.WasDue.Add(flow.Delay)}
		if d := flow.Debounce; d != nil {
			list[i].ready = list[i].ready.Add(d.Period)
		}
	}
	slices.SortStableFunc(list, func(a, b *admission) int {
		if c := a.row.WasDue.Compare(b.row.WasDue); c != 0 {
			return c
		}
		return strings.Compare(a.row.EventID, b.row.EventID)
	})
	if err := s.setKeys(ctx, list); err != nil {
		return err
	}
	return s.inTx(ctx, func(q *sqlc.Queries) error {
		if err := q.LaneLock(ctx); err != nil {
			return fmt.Errorf("lock lanes: %w", err)
		}
		if err := debounce(ctx, q, list); err != nil {
			return err
		}
		var in sqlc.LaneAdmitParams
		for _, a := range list {
			if a.overtaken != "" {
				continue
			}
			in.ExecutionIds = append(in.ExecutionIds, a.row.ExecutionID)
			in.DueAts = append(in.DueAts, a.ready)
			in.Priorities = append(in.Priorities, int16(min(max(int(a.row.Priority)+a.flow.Priority, picloud.MinQueuePriority), picloud.MaxQueuePriority)))
			in.ConcurrencyKeys = append(in.ConcurrencyKeys, a.keys["flow.concurrency.key"])
			in.ThrottleKeys = append(in.ThrottleKeys, a.keys["flow.throttle.key"])
			in.DebounceKeys = append(in.DebounceKeys, a.debounceKey())
		}
		if err := q.LaneAdmit(ctx, in); err != nil {
			return fmt.Errorf("admit firings to lanes: %w", err)
		}
		return nil
	})
}

// debounceKey gives the column: "" = none, so a key stands behind an equals sign.
func (a *admission) debounceKey() string {
	if a.flow.Debounce == nil {
		return ""
	}
	return "=" + a.keys["flow.debounce.key"]
}

// setKeys evaluates the keys of flows over the events. A key that has no value for an event (it reads a field that is not there) is "": the firing waits with those that have none.
func (s *Store) setKeys(ctx context.Context, list []*admission) error {
	var ids []string
	for _, a := range list {
		if len(a.flow.Keys()) > 0 {
			ids = append(ids, a.row.EventID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := s.queries.EventListByID(ctx, ids)
	if err != nil {
		return fmt.Errorf("list events of firings: %w", err)
	}
	events := make(map[string]filter.Event, len(rows))
	for _, r := range rows {
		events[r.ID] = filter.Of(toEvent(r))
	}
	for _, a := range list {
		a.keys = map[string]string{}
		for field, text := range a.flow.Keys() {
			key, err := filter.CompileKey(field, text)
			if err != nil { // it was checked when the trigger was registered
				continue
			}
			if value, err := key.Of(events[a.row.EventID]); err == nil {
				a.keys[field] = strings.ReplaceAll(value, "\x00", "")
			}
		}
	}
	return nil
}

// debounce finds the firings whose place a later one takes, among those of the list and those that wait in lanes already, and ends them.
func debounce(ctx context.Context, q *sqlc.Queries, list []*admission) error {
	type group struct{ lane, key string }
	last := map[group]*admission{}
	var waiting struct {
		lanes, keys []string
		arrivals    []time.Time
	}
	var arrivals []*admission
	for _, a := range list {
		if a.flow.Debounce == nil {
			continue
		}
		g := group{value(a.row.TriggerID), a.debounceKey()}
		if before := last[g]; before == nil {
			waiting.lanes, waiting.keys = append(waiting.lanes, g.lane), append(waiting.keys, g.key)
			waiting.arrivals = append(waiting.arrivals, a.row.WasDue.Add(a.flow.Delay)) // as due_at has the delay in it
			arrivals = append(arrivals, a)
		} else if before.ready.After(a.row.WasDue.Add(a.flow.Delay)) {
			before.overtaken = a.row.ExecutionID
		}
		last[g] = a
	}
	if len(arrivals) == 0 {
		return nil
	}
	var drop struct{ executions, successors []string }
	found, err := q.LaneListDebounced(ctx, waiting.lanes, waiting.keys, waiting.arrivals)
	if err != nil {
		return fmt.Errorf("list debounced firings: %w", err)
	}
	for _, f := range found {
		i := slices.IndexFunc(arrivals, func(a *admission) bool { return value(a.row.TriggerID) == f.Lane && a.debounceKey() == f.DebounceKey })
		if a := arrivals[i]; f.DueAt.After(a.ready) { // another dispatcher has been faster with a later event
			if a.overtaken == "" {
				a.overtaken = f.ExecutionID
			}
			continue
		}
		drop.executions, drop.successors = append(drop.executions, f.ExecutionID), append(drop.successors, arrivals[i].row.ExecutionID)
	}
	for _, a := range list {
		if a.overtaken != "" {
			drop.executions, drop.successors = append(drop.executions, a.row.ExecutionID), append(drop.successors, a.overtaken)
		}
	}
	if len(drop.executions) == 0 {
		return nil
	}
	if err := q.LaneDrop(ctx, drop.executions, drop.successors); err != nil {
		return fmt.Errorf("end debounced firings: %w", err)
	}
	return nil
}
