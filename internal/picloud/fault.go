package picloud

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Reason says why an execution failed, and so why its letter is dead.
type Reason string

// The reasons.
const (
	ReasonScriptError      Reason = "script_error"
	ReasonTimeout          Reason = "timeout"           // wall or CPU limit
	ReasonResourceLimit    Reason = "resource_limit"    // memory, effects, host calls, or the death of the child
	ReasonDepthExceeded    Reason = "depth_exceeded"    // the chain of triggers is too long
	ReasonCycle            Reason = "cycle"             // the trigger is on its own path and may not be
	ReasonBudgetExceeded   Reason = "budget_exceeded"   // the tree of the root event has used what it may
	ReasonPermissionDenied Reason = "permission_denied" // the principal that it runs as may not
	ReasonScriptMissing    Reason = "script_missing"
	ReasonPayloadInvalid   Reason = "payload_invalid" // the result is no JSON or too large
	ReasonExpired          Reason = "expired"         // maximum_duration is over
	ReasonFilterError      Reason = "filter_error"    // the trigger's filter has no value for the event: the script did not run
	ReasonMail             Reason = "mail_undeliverable"
)

// Reasons are all of them.
var Reasons = []Reason{
	ReasonScriptError, ReasonTimeout, ReasonResourceLimit, ReasonDepthExceeded, ReasonCycle, ReasonBudgetExceeded, ReasonPermissionDenied,
	ReasonScriptMissing, ReasonPayloadInvalid, ReasonExpired, ReasonFilterError, ReasonMail,
}

// ScriptError is a fault of the script, not of the platform: what the user's code threw, or the limit that it hit. Its JSON form is what
// tables and histories keep.
type ScriptError struct {
	Reason       Reason        `json:"reason"`
	Type         string        `json:"type"` // class of the thrown error, e.g. "TypeError"; a limit's own name, e.g. "WallLimitExceeded"
	Message      string        `json:"message"`
	Stack        string        `json:"stack,omitempty"` // in the user's own lines
	NonRetryable bool          `json:"non_retryable,omitempty"`
	RetryAfter   time.Duration `json:"retry_after,omitempty"` // asked for by the script; 0 = not
}

// Error gives "Type: message".
func (e *ScriptError) Error() string { return fmt.Sprintf("%s: %s", e.Type, e.Message) }

// The bounds of a ScriptError's texts, in bytes: what is longer is cut.
const (
	MaxErrorMessage = 8 << 10
	MaxErrorStack   = 16 << 10
)

// Fingerprint groups failures of one cause: script, reason, error class and the top frame in the user's code. Without a stack the message stands in
// for the frame, with its numbers and ids taken out: they are the occasion, not the cause. Hex, 16 characters.
func (e *ScriptError) Fingerprint(script string) string {
	where, ok := e.topFrame()
	if !ok {
		where = occasion.ReplaceAllString(e.Message, "#")
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{script, string(e.Reason), e.Type, where}, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// frameLine is a frame of a stack: "at name (file:line:column)", or without the name and its parentheses.
var frameLine = regexp.MustCompile(`^\s*at (.*:\d+:\d+\)?)$`)

// occasion is a word of a message that has a digit in it: a number, an id, a time.
var occasion = regexp.MustCompile(`[\w.:-]*\d[\w.:-]*`)

// topFrame is the first frame of the stack. The stack begins with the message, whose lines may look like frames: they are none.
func (e *ScriptError) topFrame() (string, bool) {
	stack := strings.TrimPrefix(strings.TrimPrefix(e.Stack, e.Type), ": ")
	for line := range strings.Lines(strings.TrimPrefix(stack, e.Message)) {
		if m := frameLine.FindStringSubmatch(strings.TrimRight(line, "\r\n")); m != nil {
			return m[1], true
		}
	}
	return "", false
}
