package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// The bounds of what a child says of its end.
const (
	maxTypeName   = 256
	maxRetryAfter = 365 * 24 * time.Hour
)

// childReasons are what a child may say of a failure; the others are the platform's to say.
var childReasons = []picloud.Reason{picloud.ReasonScriptError, picloud.ReasonTimeout, picloud.ReasonResourceLimit, picloud.ReasonPayloadInvalid}

// checkDone reads the end of a run and refuses what an honest child does not send.
func checkDone(f frame.Frame, limits picloud.Limits) (frame.Done, error) {
	var d frame.Done
	if err := frame.Decode(f, &d); err != nil {
		return d, nonsense("%v", err)
	}
	switch {
	case d.Failure != nil:
		if !slices.Contains(childReasons, d.Failure.Reason) {
			return d, nonsense("reason %q", d.Failure.Reason)
		}
		*d.Failure = picloud.ScriptError{
			Reason: d.Failure.Reason, Type: cutText(d.Failure.Type, maxTypeName), Message: cutText(d.Failure.Message, picloud.MaxErrorMessage),
			Stack: cutText(d.Failure.Stack, picloud.MaxErrorStack), NonRetryable: d.Failure.NonRetryable,
			RetryAfter: max(0, min(d.Failure.RetryAfter, maxRetryAfter)),
		}
	case len(f.Body) > limits.PayloadBytes:
		return d, nonsense("a result of %d bytes", len(f.Body))
	case d.Response:
		return d, checkResponse(d)
	case !json.Valid(f.Body):
		return d, nonsense("a result that is no JSON")
	}
	return d, nil
}

// checkResponse fails for a response that could not be written as HTTP.
func checkResponse(d frame.Done) error {
	if d.Status < 200 || d.Status > 599 {
		return nonsense("status %d", d.Status)
	}
	size := 0
	for _, h := range d.Headers {
		if !isToken(h[0]) || strings.ContainsAny(h[1], "\x00\r\n") {
			return nonsense("header %q", h[0])
		}
		size += len(h[0]) + len(h[1])
	}
	if len(d.Headers) > frame.MaxHeaders || size > frame.MaxHeadersBytes {
		return nonsense("%d headers of %d bytes", len(d.Headers), size)
	}
	return nil
}

// isToken reports whether s can be the name of a header (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for _, r := range s {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) {
			return false
		}
	}
	return s != ""
}

var levels = []string{"debug", "info", "warn", "error"}

// logs are the lines of one run. The child cuts at the limit itself; what goes beyond it is a lie.
type logs struct {
	lines []picloud.LogLine
	left  int
	over  bool
}

// add takes one line of a run whose clock began at a time and that has taken so long: a line is of no other time.
func (l *logs) add(f frame.Frame, began time.Time, elapsed time.Duration) error {
	var head frame.Log
	if err := frame.Decode(f, &head); err != nil {
		return nonsense("%v", err)
	}
	if !slices.Contains(levels, head.Level) {
		return nonsense("log level %q", head.Level)
	}
	text := string(f.Body)
	if l.over || head.Cut && text != frame.LogTruncated || !head.Cut && len(text)+frame.LogLineCost > l.left {
		return nonsense("more log than its limit")
	}
	if head.Values < 0 || head.Values > len(text) {
		return nonsense("log values of %d bytes", head.Values)
	}
	text, values := text[:len(text)-head.Values], text[len(text)-head.Values:]
	if values != "" && (values[0] != '[' || !json.Valid([]byte(values))) {
		return nonsense("log values that are no JSON array")
	}
	l.over = head.Cut
	l.left -= len(f.Body) + frame.LogLineCost
	at := time.UnixMicro(head.Time)
	if now := began.Add(elapsed); at.After(now) {
		at = now
	}
	if at.Before(began) {
		at = began
	}
	l.lines = append(l.lines, picloud.LogLine{
		Time: at.UTC(), Level: head.Level, Message: strings.ToValidUTF8(text, "�"), Values: json.RawMessage(strings.ToValidUTF8(values, "�")),
	})
	return nil
}

// digest gives the SHA-256 of code, in hex.
func digest(code []byte) string {
	sum := sha256.Sum256(code)
	return hex.EncodeToString(sum[:])
}

// cutText shortens a text to at most n bytes of valid UTF-8.
func cutText(s string, n int) string {
	if len(s) > n {
		s = s[:n]
		for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
		if len(s) > 0 && s[len(s)-1] >= utf8.RuneSelf {
			s = s[:len(s)-1]
		}
	}
	return strings.ToValidUTF8(s, "�")
}
