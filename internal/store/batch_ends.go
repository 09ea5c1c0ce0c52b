package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// batch is a firing of several messages at its end.
type batch struct {
	picloud.Firing

	event    picloud.Event
	messages []picloud.BatchMessage
	members  map[string]sqlc.BatchMembersRow // by the id of the message; none where the batch was not gathered: a replay, a firing by hand
}

func openBatch(ctx context.Context, q *sqlc.Queries, f picloud.Firing, event picloud.Event) (*batch, error) {
	b := &batch{Firing: f, event: event, members: map[string]sqlc.BatchMembersRow{}}
	var err error
	if b.messages, err = messagesOf(event); err != nil {
		return nil, err
	}
	rows, err := q.BatchMembers(ctx, f.ExecutionID)
	if err != nil {
		return nil, fmt.Errorf("list messages of batch: %w", err)
	}
	for _, r := range rows {
		b.members[r.MessageID] = r
	}
	return b, nil
}

// messageFailed is the error class of a message that its script has named in failed.
const messageFailed = "MessageFailed"

// settleBatch queues again the messages of a batch that the script says it has failed with, or buries them after their last attempt; again says that there are some. Call it in the
// transaction that ends f. A *picloud.ScriptError where the script says what cannot be.
func settleBatch(ctx context.Context, q *sqlc.Queries, f picloud.Firing, c picloud.Commit) (again bool, err error) {
	if f.Kind != picloud.KindQueue || f.ReplyTo != "" || c.Status != picloud.StatusSucceeded {
		return false, nil
	}
	said := failedOf(c.Outcome.Result)
	if said == nil {
		return false, nil
	}
	event, err := eventIn(ctx, q, f)
	if err != nil || event.Type != picloud.TypeQueueBatch {
		return false, err
	}
	b, err := openBatch(ctx, q, f, event)
	if err != nil {
		return false, err
	}
	failed, err := b.named(said)
	if err != nil || len(failed) == 0 {
		return false, err
	}
	attempts := f.Tried + c.Attempt
	if c.Attempt >= f.Retry.MaximumAttempts || !f.Retry.Retryable(messageFailed) {
		return b.buryFailed(ctx, q, failed, attempts, c.StartedAt)
	}
	return b.retry(ctx, q, failed, attempts, c.StartedAt)
}

// failedOf gives what the script returned as failed; nil = nothing.
func failedOf(r picloud.Result) json.RawMessage {
	var said struct {
		Failed json.RawMessage `json:"failed"`
	}
	if json.Unmarshal(r.Value, &said) != nil || string(said.Failed) == "null" {
		return nil
	}
	return said.Failed
}

// named gives the messages with the ids that the script has named.
func (b *batch) named(said json.RawMessage) (failed []picloud.BatchMessage, err error) {
	wrong := func(format string, args ...any) error {
		return &picloud.ScriptError{Reason: picloud.ReasonScriptError, Type: "BatchResultError", Message: fmt.Sprintf(format, args...)}
	}
	var ids []string
	if json.Unmarshal(said, &ids) != nil {
		return nil, wrong("failed must be a list of ids of the batch's messages: return { failed: [message.id] }")
	}
	for _, id := range ids {
		i := slices.IndexFunc(b.messages, func(m picloud.BatchMessage) bool { return m.ID == id })
		if i < 0 {
			return nil, wrong("failed names %.100q, which is the id of no message of this batch: return { failed: [message.id] }", id)
		}
		if !slices.ContainsFunc(failed, func(m picloud.BatchMessage) bool { return m.ID == id }) {
			failed = append(failed, b.messages[i])
		}
	}
	return failed, nil
}

// retry queues the messages again, each as it was, after the pause of the trigger's retry policy.
func (b *batch) retry(ctx context.Context, q *sqlc.Queries, failed []picloud.BatchMessage, attempts int, startedAt time.Time) (fired bool, err error) {
	var executions []string
	var expired []picloud.BatchMessage // during this very run
	for _, m := range failed {
		member, err := b.member(ctx, q, m)
		if err != nil {
			return false, err
		}
		if member.RootID == nil {
			expired = append(expired, m)
			continue
		}
		executions = append(executions, member.ExecutionID)
	}
	err = q.BatchRetry(ctx, sqlc.BatchRetryParams{
		ScriptID: b.ScriptID, TriggerID: optional(b.TriggerID), What: fmt.Sprintf("queue %.120s message, attempt %d", b.event.Subject, attempts+1), ReplayOf: optional(b.ReplayOf), Principal: b.Principal,
		DelayMs: b.Retry.Delay(attempts, rand.Float64()).Milliseconds(), Tried: int32(attempts), BatchID: b.ExecutionID, ExecutionIds: nonNilText(executions), //nolint:gosec // jitter; bounded by MaxRetryAttempts
	})
	if err != nil {
		return false, fmt.Errorf("queue failed messages: %w", err)
	}
	_, err = b.buryFailed(ctx, q, expired, attempts, startedAt)
	return true, err
}

// member gives what the message was in the outbox; one that was never there is made what it needs to be.
func (b *batch) member(ctx context.Context, q *sqlc.Queries, m picloud.BatchMessage) (sqlc.BatchMembersRow, error) {
	if found, ok := b.members[m.ID]; ok {
		return found, nil
	}
	event := b.event
	event.ID, event.Data = newID(), encodeMessages([]picloud.BatchMessage{m})
	if err := insertEvent(ctx, q, b.AppID, event); err != nil {
		return sqlc.BatchMembersRow{}, err
	}
	depth := int32(event.Depth) // bounded by MaxDepth
	made := sqlc.BatchMembersRow{ExecutionID: newID(), EventID: event.ID, MessageID: m.ID, QueuedAt: b.QueuedAt, RootID: &event.RootID, ParentID: optional(event.ParentID), Depth: &depth}
	err := q.BatchMemberInsert(ctx, sqlc.BatchMemberInsertParams{
		ExecutionID: made.ExecutionID, AppID: b.AppID, BatchID: b.ExecutionID, EventID: made.EventID, MessageID: m.ID, QueuedAt: made.QueuedAt,
	})
	if err != nil {
		return sqlc.BatchMembersRow{}, fmt.Errorf("insert message of batch: %w", err)
	}
	b.members[m.ID] = made
	return made, nil
}

// buryFailed buries messages that the script has named in failed.
func (b *batch) buryFailed(ctx context.Context, q *sqlc.Queries, failed []picloud.BatchMessage, attempts int, startedAt time.Time) (fired bool, err error) {
	return b.bury(ctx, q, failed, picloud.ScriptError{
		Reason: picloud.ReasonScriptError, Type: messageFailed, Message: "the script has named the message in failed",
	}, attempts, startedAt, false)
}

// bury ends messages as dead letters of their own, each under the id of its own execution. The event of a letter is a batch of the one message: its replay fires it alone, and the script sees
// what it is written for. taped says that they get the tape of the batch's last attempt.
func (b *batch) bury(
	ctx context.Context, q *sqlc.Queries, messages []picloud.BatchMessage, failure picloud.ScriptError, attempts int, startedAt time.Time, taped bool,
) (fired bool, err error) {
	for _, m := range messages {
		member, err := b.member(ctx, q, m)
		if err != nil {
			return false, err
		}
		f, event := b.Firing, b.event
		f.Event, f.ExecutionID, f.EventID, f.QueuedAt = nil, member.ExecutionID, member.EventID, member.QueuedAt
		if member.RootID != nil {
			f.RootID, f.ParentID, f.Depth = *member.RootID, value(member.ParentID), int(value(member.Depth))
		}
		event.ID, event.RootID, event.ParentID, event.Depth = f.EventID, f.RootID, f.ParentID, f.Depth
		event.Data = encodeMessages([]picloud.BatchMessage{m})
		row, err := executionRow(f, picloud.Committed{Status: picloud.StatusDeadLettered, Error: &failure}, picloud.Outcome{}, attempts, startedAt)
		if err != nil {
			return false, err
		}
		if err := insertExecution(ctx, q, f, row); errors.Is(err, errCommittedBefore) {
			continue
		} else if err != nil {
			return false, err
		}
		tape := f.ExecutionID // it has none: its run did not fail
		if taped {
			tape = b.ExecutionID
		}
		handled, err := writeLetter(ctx, q, f, event, failure, row, tape)
		if err != nil {
			return false, err
		}
		fired = fired || handled
	}
	return fired, nil
}
