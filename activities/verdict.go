package activities

import (
	"fmt"
	"strings"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// shortestDelay stands for "at once": to Temporal a delay of 0 means that none was chosen.
const shortestDelay = time.Millisecond

// judge says what follows the attempt-th failed attempt of f, which failed with e: another one after a delay, or none (0) and the error that the
// execution dies of. random is uniform in [0,1).
func judge(f picloud.Firing, e *picloud.ScriptError, attempt int, startedAt, now time.Time, random float64) (time.Duration, *picloud.ScriptError) {
	if e.NonRetryable || !f.Retry.Retryable(e.Type) || attempt >= f.Retry.MaximumAttempts {
		return 0, e
	}
	after := f.Retry.Delay(attempt, random)
	if e.RetryAfter > 0 {
		after = min(e.RetryAfter, picloud.MaxRetryInterval)
	}
	after = max(after, shortestDelay)
	if d := f.Retry.MaximumDuration; d > 0 && now.Add(after).After(startedAt.Add(d)) {
		return 0, Expired(f, e)
	}
	return after, nil
}

// Expired is the error of an execution whose maximum_duration is over; last is the script's last error, nil if it has none.
func Expired(f picloud.Firing, last *picloud.ScriptError) *picloud.ScriptError {
	e := &picloud.ScriptError{
		Reason:       picloud.ReasonExpired,
		Type:         "MaximumDurationExceeded",
		Message:      fmt.Sprintf("no attempt is left within the trigger's maximum_duration of %s", f.Retry.MaximumDuration),
		NonRetryable: true,
	}
	if last != nil {
		e.Message += "; last error: " + last.Error()
		e.Stack = last.Stack
	}
	return bounded(e)
}

// missing is the error of an execution whose script or version is gone.
func missing(f picloud.Firing) *picloud.ScriptError {
	return &picloud.ScriptError{
		Reason:       picloud.ReasonScriptMissing,
		Type:         "ScriptMissing",
		Message:      fmt.Sprintf("version %d of script %q is gone", f.Version, f.Script),
		NonRetryable: true,
	}
}

// bounded gives e with its texts cut to the domain's bounds, so that no script can fill the history.
func bounded(e *picloud.ScriptError) *picloud.ScriptError {
	b := *e
	b.Message = cut(b.Message, picloud.MaxErrorMessage)
	b.Stack = cut(b.Stack, picloud.MaxErrorStack)
	return &b
}

// cut gives at most limit bytes of s, as valid UTF-8.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}
