package picloud

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Reason says why an execution failed, and so why its letter is dead.
type Reason string

// The reasons.
const (
	ReasonScriptError    Reason = "script_error"
	ReasonTimeout        Reason = "timeout"        // wall or CPU limit
	ReasonResourceLimit  Reason = "resource_limit" // memory, effects, host calls, or the death of the child
	ReasonDepthExceeded  Reason = "depth_exceeded"
	ReasonScriptMissing  Reason = "script_missing"
	ReasonPayloadInvalid Reason = "payload_invalid" // the result is no JSON or too large
	ReasonExpired        Reason = "expired"         // maximum_duration is over
)

// Reasons are all of them.
var Reasons = []Reason{
	ReasonScriptError, ReasonTimeout, ReasonResourceLimit, ReasonDepthExceeded, ReasonScriptMissing, ReasonPayloadInvalid, ReasonExpired,
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

// Fingerprint groups failures of one cause: script, reason, error class and the top frame in the user's code; without a stack the message stands in
// for the frame. Hex, 16 characters.
func (e *ScriptError) Fingerprint(script string) string {
	where := e.Message
	for line := range strings.Lines(e.Stack) {
		if frame, ok := strings.CutPrefix(strings.TrimSpace(line), "at "); ok {
			where = frame
			break
		}
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{script, string(e.Reason), e.Type, where}, "\x00")))
	return hex.EncodeToString(sum[:8])
}
