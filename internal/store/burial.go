package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// errCutBefore leaves a burial for which there is a letter already: that of the first that was cut of its tree.
var errCutBefore = errors.New("cut before")

// BuryExecution implements picloud.Journal.
func (s *Store) BuryExecution(ctx context.Context, f picloud.Firing, failure picloud.ScriptError, attempts int, startedAt time.Time) (string, error) {
	if f.Kind == picloud.KindDeadLetter {
		return "", s.buryHandler(ctx, f, failure, attempts, startedAt)
	}
	params, err := executionRow(f, picloud.Committed{Status: picloud.StatusDeadLettered, Error: &failure}, picloud.Outcome{}, attempts, startedAt)
	if err != nil {
		return "", err
	}
	fired := false
	err = s.inTx(ctx, func(q *sqlc.Queries) error {
		if failure.Reason == picloud.ReasonBudgetExceeded {
			first, err := q.RootBudgetCut(ctx, f.RootID, f.ExecutionID)
			if err != nil {
				return fmt.Errorf("cut tree: %w", err)
			}
			if !first {
				return errCutBefore
			}
		}
		event, err := eventIn(ctx, q, f)
		if err != nil {
			return err
		}
		if err := insertExecution(ctx, q, f, params); err != nil {
			return err
		}
		woken, err := settle(ctx, q, f, false)
		if err != nil {
			return err
		}
		fired, err = letters(ctx, q, f, event, failure, attempts, params)
		fired = fired || woken
		return err
	})
	if errors.Is(err, errCutBefore) {
		params.Status = string(picloud.StatusCanceled)
		return "", ignoring(errCommittedBefore, s.end(ctx, f, params))
	}
	if err != nil && !errors.Is(err, errCommittedBefore) {
		return "", err
	}
	if fired {
		s.notifier.notify()
	}
	id, err := s.queries.DeadLetterByExecution(ctx, f.ExecutionID)
	if isMissing(err) && f.Kind == picloud.KindQueue {
		id, err = s.queries.BatchLetter(ctx, f.ExecutionID)
	}
	if isMissing(err) { // the app was deleted, or the execution had ended otherwise: there is no letter
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("get dead letter: %w", err)
	}
	return id, nil
}

// letters writes what f leaves: a letter, or one for every message of a batch.
func letters(
	ctx context.Context, q *sqlc.Queries, f picloud.Firing, event picloud.Event, failure picloud.ScriptError, attempts int, row sqlc.ExecutionInsertParams,
) (fired bool, err error) {
	if event.Type == picloud.TypeQueueBatch {
		b, err := openBatch(ctx, q, f, event)
		if err != nil {
			return false, err
		}
		if len(b.members) > 0 {
			return b.bury(ctx, q, b.messages, failure, f.Tried+attempts, row.StartedAt, true)
		}
	}
	return writeLetter(ctx, q, f, event, failure, row, f.ExecutionID)
}

// writeLetter writes the dead letter of f, whose row is row, and fires its handlers; fired says that there are some. Its tape is that of the execution taped.
func writeLetter(
	ctx context.Context, q *sqlc.Queries, f picloud.Firing, event picloud.Event, failure picloud.ScriptError, row sqlc.ExecutionInsertParams, taped string,
) (fired bool, err error) {
	column, err := encode(event)
	if err != nil {
		return false, err
	}
	letter, err := q.DeadLetterInsert(ctx, sqlc.DeadLetterInsertParams{
		ExecutionID: f.ExecutionID, AppID: f.AppID, ScriptID: f.ScriptID, Script: f.Script, Version: row.Version,
		TriggerID: optional(f.TriggerID), Trigger: f.Trigger, Kind: string(f.Kind), Reason: string(failure.Reason),
		Error: row.Error, Event: column, Attempts: row.Attempts, Depth: row.Depth, RootID: f.RootID,
		ParentID: optional(f.ParentID), Fingerprint: failure.Fingerprint(f.Script), Principal: f.Principal,
		ReplayOf: optional(f.ReplayOf),
	})
	if isMissing(err) { // the app is gone
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("insert dead letter: %w", err)
	}
	if err := q.DeadLetterTapeKeep(ctx, letter.ID, taped); err != nil {
		return false, fmt.Errorf("keep tape of dead letter: %w", err)
	}
	return fireHandlers(ctx, q, f, picloud.DeadLetter{
		ID: letter.ID, ExecutionID: f.ExecutionID, Script: f.Script, Version: f.Version, Trigger: f.Trigger, Kind: f.Kind, Reason: failure.Reason, Error: failure,
		Event: event, Attempts: int(row.Attempts), Depth: f.Depth, Fingerprint: failure.Fingerprint(f.Script),
		ReplayOf: f.ReplayOf, CreatedAt: letter.CreatedAt.UTC(),
	})
}

// buryHandler ends a handler of dead letters that has failed for good: it leaves no letter about itself, and the one that it handles hears of it.
func (s *Store) buryHandler(ctx context.Context, f picloud.Firing, failure picloud.ScriptError, attempts int, startedAt time.Time) error {
	params, err := executionRow(f, picloud.Committed{Status: picloud.StatusFailed, Error: &failure}, picloud.Outcome{}, attempts, startedAt)
	if err != nil {
		return err
	}
	return ignoring(errCommittedBefore, s.end(ctx, f, params))
}

// ignoring gives err, unless it is one that is as good as none.
func ignoring(harmless, err error) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}

// end writes the row of an execution that did not succeed, and tells whoever waits for it. errCommittedBefore when it has ended before.
func (s *Store) end(ctx context.Context, f picloud.Firing, row sqlc.ExecutionInsertParams) error {
	woken := false
	err := s.inTx(ctx, func(q *sqlc.Queries) (err error) {
		if err := insertExecution(ctx, q, f, row); err != nil {
			return err
		}
		woken, err = settle(ctx, q, f, false)
		return err
	})
	if err == nil && woken {
		s.notifier.notify()
	}
	return err
}

// tellLetter tells the dead letter that f handles, if any, how that went. Call it in the transaction that ends f.
func tellLetter(ctx context.Context, q *sqlc.Queries, f picloud.Firing, handled bool) error {
	if f.Handles == "" {
		return nil
	}
	by := "script " + f.Script
	resolution := picloud.HandledByScript
	tell := q.DeadLetterHandled
	if !handled {
		resolution, tell = picloud.HandlerFailed, q.DeadLetterHandlerFailed
	}
	resolved, err := tell(ctx, &by, f.Handles)
	if err != nil {
		return fmt.Errorf("resolve handled dead letter: %w", err)
	}
	if !slices.Contains(resolved, true) { // somebody was faster, or other handlers are left
		return nil
	}
	after, err := encode(letterResolution{Resolution: resolution, By: by})
	if err != nil {
		return err
	}
	return insertAudit(ctx, q, picloud.AuditEntry{
		Principal: f.Principal, Action: "handleDeadLetter", App: f.App, TargetKind: "dead_letter", TargetID: f.Handles, After: after, Outcome: picloud.AuditDone,
	})
}

// eventIn gives the firing's event; its bare facts where the event is gone.
func eventIn(ctx context.Context, q *sqlc.Queries, f picloud.Firing) (picloud.Event, error) {
	if f.Event != nil {
		return *f.Event, nil
	}
	event, err := findEvent(ctx, q, f.AppID, f.EventID)
	if err != nil {
		return picloud.Event{}, err
	}
	if event == nil {
		event = &picloud.Event{SpecVersion: "1.0", ID: f.EventID, Time: f.QueuedAt, RootID: f.RootID, ParentID: f.ParentID, Depth: f.Depth, ReplayOf: f.ReplayOf}
	}
	if f.Batched {
		return asBatch(*event), nil
	}
	return *event, nil
}
