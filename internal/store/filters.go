package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/picloud/picloud/internal/filter"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// sifted is what the filters of firings said.
type sifted struct {
	passed, refused, failed []string // ids of executions
	why                     map[string]*picloud.ScriptError
}

// kept gives those of the executions that no filter has refused, in their order.
func (s sifted) kept(executionIDs []string) []string {
	return slices.DeleteFunc(slices.Clone(executionIDs), func(id string) bool { return slices.Contains(s.refused, id) })
}

// sift evaluates the filters of those of the firings that have one, and takes the refused ones out of the outbox. A firing whose filter has no value for its event stays: when it is claimed
// it is given a Refusal, and becomes a dead letter, so that no event is lost to a mistake in a filter. It may be repeated.
func sift(ctx context.Context, q *sqlc.Queries, executionIDs []string) (sifted, error) {
	s := sifted{why: map[string]*picloud.ScriptError{}}
	if len(executionIDs) == 0 {
		return s, nil
	}
	rows, err := q.OutboxFiltered(ctx, executionIDs)
	if err != nil {
		return s, fmt.Errorf("read filtered firings: %w", err)
	}
	if len(rows) == 0 {
		return s, nil
	}
	events := map[string]filter.Event{} // one event may have many firings
	for _, r := range rows {
		e, ok := events[r.Event.ID]
		if !ok {
			e = filter.Of(toEvent(r.Event))
			events[r.Event.ID] = e
		}
		matches, err := match(value(r.Filter), e)
		switch {
		case err != nil:
			s.failed = append(s.failed, r.ExecutionID)
			s.why[r.ExecutionID] = noValue(err)
		case matches:
			s.passed = append(s.passed, r.ExecutionID)
		default:
			s.refused = append(s.refused, r.ExecutionID)
		}
	}
	if err := q.OutboxSift(ctx, nonNilText(s.passed), nonNilText(s.failed), nonNilText(s.refused)); err != nil {
		return s, fmt.Errorf("sift firings: %w", err)
	}
	if len(s.passed) == 0 || (len(executionIDs) == 1 && rows[0].Event.Depth == 1) { // a tree of one has nothing to count
		return s, nil
	}
	if err := q.OutboxCharge(ctx, s.passed); err != nil {
		return s, fmt.Errorf("charge firings: %w", err)
	}
	return s, nil
}

func match(text string, e filter.Event) (bool, error) {
	f, err := filter.Compile("filter", text)
	if err != nil {
		return false, err
	}
	return f.Match(e)
}

// noValue is the end of a firing whose filter has no value for its event.
func noValue(err error) *picloud.ScriptError {
	message := "the trigger's filter has no value for this event: " + err.Error()
	return &picloud.ScriptError{Reason: picloud.ReasonFilterError, Type: "FilterError", Message: message[:min(len(message), picloud.MaxErrorMessage)], NonRetryable: true}
}

// siftMade sifts firings that are committed already, and gives those that are left. Should the database fail now, all are: they are sifted when they are claimed.
func (s *Store) siftMade(ctx context.Context, filtered bool, executionIDs []string) []string {
	if !filtered {
		return executionIDs
	}
	made, err := sift(ctx, s.queries, executionIDs)
	if err != nil {
		return executionIDs
	}
	return made.kept(executionIDs)
}

// siftClaimed sifts claimed firings whose makers did not come to it, or whose filters have no value, and gives those that are to be started.
func (s *Store) siftClaimed(ctx context.Context, firings []picloud.Firing, filtered []string) ([]picloud.Firing, error) {
	if len(filtered) == 0 {
		return firings, nil
	}
	claimed, err := sift(ctx, s.queries, filtered)
	if err != nil {
		return nil, err // they come due again
	}
	if len(claimed.refused) > 0 {
		s.notifier.notify() // the slots of queues that they took are free
	}
	kept := firings[:0]
	for _, f := range firings {
		if !slices.Contains(claimed.refused, f.ExecutionID) {
			f.Refusal = claimed.why[f.ExecutionID]
			kept = append(kept, f)
		}
	}
	return kept, nil
}
