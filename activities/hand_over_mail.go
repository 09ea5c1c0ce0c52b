package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/picloud/picloud/internal/picloud"
)

// TypeMailDelayed is the type of the error of a mail that may go later: the relay is away, or says so (4xx).
const TypeMailDelayed = "MailDelayed"

// typeMailRefused is the type of the error of a mail that will never go.
const typeMailRefused = "MailRefused"

// HandOverMailInput is a mail that a script has sent: a firing of picloud.KindMail.
type HandOverMailInput struct {
	Firing picloud.Firing `json:"firing"`
}

// HandOverMailResult is the end of the hand-over: succeeded, or whatever it had ended with before.
type HandOverMailResult struct {
	End picloud.Committed `json:"end"` // without result
}

// HandOverMail gives a mail to the relay and to the instance's own mailboxes, and commits that. It may be repeated: a mail whose hand-over is committed is not
// handed over again, one whose commit was lost is, under the same Message-ID. What will never go is an application error with a [Failure] that is not retried.
func (a *Activities) HandOverMail(ctx context.Context, in HandOverMailInput) (HandOverMailResult, error) {
	began := a.now()
	mail, committed, err := a.Mails.OpenMail(ctx, in.Firing)
	if e, ok := errors.AsType[*picloud.ScriptError](err); ok {
		return HandOverMailResult{}, a.mailFailure(ctx, e, began, true)
	}
	if err != nil {
		return HandOverMailResult{}, fmt.Errorf("open mail: %w", err)
	}
	if committed != nil {
		return HandOverMailResult{End: picloud.Committed{Status: committed.Status, Error: committed.Error}}, nil
	}
	local, err := a.Courier.HandOver(ctx, mail)
	if refused, ok := errors.AsType[*picloud.MailRefusedError](err); ok {
		return HandOverMailResult{}, a.mailFailure(ctx, undeliverable(typeMailRefused, refused.Message), began, true)
	}
	if err != nil {
		return HandOverMailResult{}, a.mailFailure(ctx, undeliverable(TypeMailDelayed, err.Error()), began, false)
	}
	result, err := json.Marshal(map[string]string{"message_id": mail.MessageID})
	if err != nil {
		return HandOverMailResult{}, fmt.Errorf("encode result: %w", err)
	}
	end, err := a.Mails.CommitMail(ctx, in.Firing, local, a.MailDomain, picloud.Commit{
		Status: picloud.StatusSucceeded, Outcome: picloud.Outcome{Result: picloud.Result{Value: result}}, Attempt: int(activity.GetInfo(ctx).Attempt), StartedAt: began,
	})
	if e := picloud.AsError(err); e != nil && e.Kind == picloud.NotFound { // a mailbox that has gone since HandOver saw it
		return HandOverMailResult{}, a.mailFailure(ctx, undeliverable(typeMailRefused, "550 5.1.1 "+e.Message), began, true)
	}
	if err != nil {
		return HandOverMailResult{}, fmt.Errorf("commit mail: %w", err)
	}
	return HandOverMailResult{End: picloud.Committed{Status: end.Status, Error: end.Error}}, nil
}

// undeliverable is the error of a mail that was not taken.
func undeliverable(class, message string) *picloud.ScriptError {
	return &picloud.ScriptError{Reason: picloud.ReasonMail, Type: class, Message: message, NonRetryable: class == typeMailRefused}
}

// mailFailure is the application error of a mail that was not handed over; final says that it is not tried again.
func (a *Activities) mailFailure(ctx context.Context, e *picloud.ScriptError, began time.Time, final bool) error {
	f := Failure{Error: bounded(e), Attempts: int(activity.GetInfo(ctx).Attempt), StartedAt: began}
	return temporal.NewApplicationErrorWithOptions(f.Error.Message, f.Error.Type, temporal.ApplicationErrorOptions{
		NonRetryable: final, Details: []any{f}, Category: temporal.ApplicationErrorCategoryBenign,
	})
}
