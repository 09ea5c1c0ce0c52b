package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// letterData is the data of the event picloud.dead_letter.created: the letter as the API shows it.
type letterData struct {
	ID                string        `json:"id"`
	ExecutionID       string        `json:"execution_id"`
	Script            string        `json:"script"`
	Version           int           `json:"version"`
	Trigger           *string       `json:"trigger"`
	Kind              string        `json:"kind"`
	Reason            string        `json:"reason"`
	Error             letterError   `json:"error"`
	Event             picloud.Event `json:"event"`
	Attempts          int           `json:"attempts"`
	Depth             int           `json:"depth"`
	Fingerprint       string        `json:"fingerprint"`
	Resolution        *string       `json:"resolution"` // a new letter has none, and so on
	ResolvedAt        *time.Time    `json:"resolved_at"`
	ResolvedBy        *string       `json:"resolved_by"`
	Note              *string       `json:"note"`
	ReplayExecutionID *string       `json:"replay_execution_id"`
	ReplayOf          *string       `json:"replay_of"`
	CreatedAt         time.Time     `json:"created_at"`
}

type letterError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
	Stack   string `json:"stack"`
}

// fireHandlers queues the firings of the dead_letter triggers that the new letter of f matches, in the transaction that writes the letter; fired says that there are some.
//
// A handler is one deeper than what it handles, at most at the limit: so that an execution that was cut for its depth can be handled too. What a handler at the limit fires is cut in its
// turn; such a letter fires no handlers, else the two would go on for ever.
func fireHandlers(ctx context.Context, q *sqlc.Queries, f picloud.Firing, letter picloud.DeadLetter) (fired bool, err error) {
	if letter.Reason == picloud.ReasonDepthExceeded && f.ParentID != "" {
		kind, err := q.ExecutionKind(ctx, f.ParentID)
		if err != nil && !isMissing(err) {
			return false, fmt.Errorf("get kind of parent: %w", err)
		}
		if kind == string(picloud.KindDeadLetter) {
			return false, nil
		}
	}
	data, err := json.Marshal(letterData{
		ID: letter.ID, ExecutionID: letter.ExecutionID, Script: letter.Script, Version: letter.Version, Trigger: optional(letter.Trigger), Kind: string(letter.Kind),
		Reason: string(letter.Reason), Error: letterError{letter.Error.Type, letter.Error.Message, letter.Error.Stack}, Event: letter.Event, Attempts: letter.Attempts,
		Depth: letter.Depth, Fingerprint: letter.Fingerprint, ReplayOf: optional(letter.ReplayOf), CreatedAt: letter.CreatedAt,
	})
	if err != nil {
		return false, fmt.Errorf("encode dead letter: %w", err)
	}
	depth := letter.Depth + 1
	if f.MaxDepth > 0 {
		depth = min(depth, f.MaxDepth)
	}
	rows, err := q.DeadLetterFireHandlers(ctx, sqlc.DeadLetterFireHandlersParams{
		AppID: f.AppID, Script: letter.Script, Trigger: letter.Trigger, Reason: string(letter.Reason), EventID: newID(),
		Source: "/apps/" + f.App + "/dead_letter/" + letter.Script, DeadLetterID: letter.ID, Data: string(data), RootID: f.RootID, ParentID: f.ExecutionID,
		Depth: int32(depth), Traceparent: picloud.ExecutionTrace(letter.Event.TraceParent, f.ExecutionID), What: "dead letter of " + letter.Script + ": " + string(letter.Reason),
	})
	if err != nil {
		return false, fmt.Errorf("fire handlers of dead letter: %w", err)
	}
	return keepHandlers(ctx, q, letter.ID, rows)
}

// keepHandlers takes the handlers back whose filters refuse the letter; fired says that some are left.
func keepHandlers(ctx context.Context, q *sqlc.Queries, letterID string, rows []sqlc.DeadLetterFireHandlersRow) (fired bool, err error) {
	if !slices.ContainsFunc(rows, func(r sqlc.DeadLetterFireHandlersRow) bool { return r.Filtered }) {
		return len(rows) > 0, nil
	}
	made, err := sift(ctx, q, convert(rows, func(r sqlc.DeadLetterFireHandlersRow) string { return r.ExecutionID }))
	if err != nil || len(made.refused) == 0 {
		return true, err
	}
	if err := q.DeadLetterUncountHandlers(ctx, int32(len(made.refused)), letterID); err != nil { // as many as triggers
		return false, fmt.Errorf("uncount handlers of dead letter: %w", err)
	}
	return len(rows) > len(made.refused), nil
}
