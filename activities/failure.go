package activities

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/picloud/picloud/internal/picloud"
)

// The types of application errors that stand for a fault of the platform. They are for people: what tells a script's failure from a platform
// fault is the Failure in the error's details, since a script may give its errors any name.
const (
	TypePlatformFault     = "PlatformFault"
	TypeStopped           = "Stopped"           // somebody has canceled the execution
	TypeReadSetContention = "ReadSetContention" // the keys that the run reads change faster than it can commit
)

// Failure is how an attempt went wrong: the details of the application error that RunScript ends with, and of its heartbeats, so that it is
// known after the death of a worker too.
type Failure struct {
	Error      *picloud.ScriptError `json:"error,omitempty"`       // nil: the platform failed, not the script
	Attempts   int                  `json:"attempts"`              // of the script that have failed so far, this one included if it is one
	StartedAt  time.Time            `json:"started_at,omitzero"`   // of the first attempt
	RetryAfter time.Duration        `json:"retry_after,omitempty"` // to the next attempt, jitter included; 0 = there is none
}

// FailureOf reads the Failure out of what a workflow got from RunScript. What carries none (a worker that died early, a panic) is a platform
// fault of which nothing is known: the zero Failure.
func FailureOf(err error) Failure {
	var f Failure
	if application, ok := errors.AsType[*temporal.ApplicationError](err); ok && application.HasDetails() {
		if application.Details(&f) == nil {
			return f
		}
	}
	if timeout, ok := errors.AsType[*temporal.TimeoutError](err); ok && timeout.HasLastHeartbeatDetails() {
		if timeout.LastHeartbeatDetails(&f) == nil {
			return f
		}
	}
	return Failure{}
}

// scriptFailure is the application error for a failed script. final says that Temporal's own retry policy must not try again.
func scriptFailure(f Failure, final bool) error {
	return temporal.NewApplicationErrorWithOptions(f.Error.Message, f.Error.Type, temporal.ApplicationErrorOptions{
		NonRetryable:   final || f.RetryAfter == 0,
		NextRetryDelay: f.RetryAfter,
		Details:        []any{f},
		Category:       temporal.ApplicationErrorCategoryBenign, // a script that throws is no news for the server's log
	})
}

// platformFault is the application error for what no script can help. A local activity tries again by itself, where that may help; a normal one hands back to
// its workflow, so that the try does not count as one of the script's attempts.
func platformFault(kind string, cause error, f Failure, again bool) error {
	return temporal.NewApplicationErrorWithOptions(cause.Error(), kind, temporal.ApplicationErrorOptions{
		NonRetryable: !again,
		Details:      []any{f},
	})
}
