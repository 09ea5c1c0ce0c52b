package picloud_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/picloud/picloud/internal/picloud"
)

func TestBackoffIsTheSeriesOfThePolicy(t *testing.T) {
	t.Parallel()
	p := picloud.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 5 * time.Second}
	for attempt, want := range []time.Duration{time.Second, time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second} {
		assert.Equal(t, want, p.Backoff(attempt), "after attempt %d", attempt)
	}
}

// Whatever the policy, a delay never leaves its bounds, grows with the attempts, and is where the jitter says.
func TestDelaysStayWithinTheirJitter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := picloud.RetryPolicy{
			MaximumAttempts:    rapid.IntRange(1, 100).Draw(t, "attempts"),
			InitialInterval:    time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(time.Hour)).Draw(t, "initial")),
			BackoffCoefficient: rapid.Float64Range(1, 100).Draw(t, "coefficient"),
			Jitter:             rapid.SampledFrom([]picloud.Jitter{picloud.JitterNone, picloud.JitterFull, picloud.JitterEqual}).Draw(t, "jitter"),
		}
		p.MaximumInterval = p.InitialInterval + time.Duration(rapid.Int64Range(0, int64(22*time.Hour)).Draw(t, "more"))
		if err := p.Check(); err != nil {
			t.Fatalf("a good policy is refused: %v", err)
		}
		attempt, random := rapid.IntRange(1, 100).Draw(t, "attempt"), rapid.Float64Range(0, 0.999).Draw(t, "random")
		full, got := p.Backoff(attempt), p.Delay(attempt, random)
		if full < p.InitialInterval || full > p.MaximumInterval || full > p.Backoff(attempt+1) {
			t.Fatalf("back-off %s of attempt %d", full, attempt)
		}
		least := map[picloud.Jitter]time.Duration{picloud.JitterNone: full, picloud.JitterEqual: full / 2}[p.Jitter]
		if got < least || got > full {
			t.Fatalf("delay %s with jitter %s of %s", got, p.Jitter, full)
		}
	})
}

func TestEveryWrongFieldOfAPolicyIsNamed(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(*picloud.RetryPolicy){
		"retry.maximum_attempts":     func(p *picloud.RetryPolicy) { p.MaximumAttempts = 101 },
		"retry.initial_interval":     func(p *picloud.RetryPolicy) { p.InitialInterval = 0 },
		"retry.backoff_coefficient":  func(p *picloud.RetryPolicy) { p.BackoffCoefficient = 0.5 },
		"retry.maximum_interval":     func(p *picloud.RetryPolicy) { p.MaximumInterval = time.Millisecond },
		"retry.jitter":               func(p *picloud.RetryPolicy) { p.Jitter = "some" },
		"retry.maximum_duration":     func(p *picloud.RetryPolicy) { p.MaximumDuration = -1 },
		"retry.non_retryable_errors": func(p *picloud.RetryPolicy) { p.NonRetryableErrors = make([]string, 51) },
	} {
		p := picloud.DefaultRetryPolicy
		change(&p)
		e := picloud.AsError(p.Check())
		if assert.NotNil(t, e, field) && assert.Len(t, e.Fields, 1, field) {
			assert.Equal(t, field, e.Fields[0].Field)
		}
	}
}

func TestGlobs(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "a*b", "**", "*a", "a\x00", string(make([]byte, 300))} {
		assert.Error(t, picloud.CheckGlob("f", bad), "%q", bad)
	}
	for glob, matches := range map[picloud.Glob][]string{"*": {"", "a", "orders:1"}, "orders:*": {"orders:", "orders:1"}, "orders": {"orders"}} {
		assert.NoError(t, picloud.CheckGlob("f", string(glob)))
		for _, name := range matches {
			assert.True(t, glob.Match(name), "%q, %q", glob, name)
		}
	}
	assert.False(t, picloud.Glob("orders:*").Match("orders"))
	assert.False(t, picloud.Glob("orders").Match("orders:1"))
}

func TestFingerprintIsTheCauseNotTheOccasion(t *testing.T) {
	t.Parallel()
	e := picloud.ScriptError{Reason: picloud.ReasonScriptError, Type: "TypeError", Message: "order 42", Stack: "TypeError: order 42\n    at main (a.ts:3:9)\n    at b (a.ts:9:1)"}
	other := e
	other.Message, other.Stack = "order 43", "TypeError: order 43\n    at main (a.ts:3:9)"
	assert.Equal(t, e.Fingerprint("a"), other.Fingerprint("a"))
	assert.NotEqual(t, e.Fingerprint("a"), e.Fingerprint("b"))
	other.Stack = "TypeError: order 43\n    at main (a.ts:4:9)"
	assert.NotEqual(t, e.Fingerprint("a"), other.Fingerprint("a"))
}

// Whatever the payload puts into the message, the place in the source is the cause; without a place, what the message says apart from its numbers.
func TestFingerprintGroupsByPlace(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		payload := rapid.StringN(0, 40, -1)
		line := rapid.IntRange(1, 500)
		thrown := func(message string, line int) picloud.ScriptError {
			return picloud.ScriptError{
				Reason: picloud.ReasonScriptError, Type: "Error", Message: message, Stack: fmt.Sprintf("Error: %s\n    at main (a.ts:%d:9)\n    at a.ts:9:1", message, line),
			}
		}
		a, b := line.Draw(t, "line"), line.Draw(t, "other line")
		first, second := payload.Draw(t, "payload"), payload.Draw(t, "other payload")
		x, y := thrown("order "+first, a), thrown("order "+second+"\n    at main (a.ts:7:7)", b)
		if same := x.Fingerprint("s") == y.Fingerprint("s"); same != (a == b) {
			t.Fatalf("%q at %d and %q at %d: same cause is %v", x.Message, a, y.Message, b, same)
		}
		n, m := rapid.Uint64().Draw(t, "n"), rapid.Uint64().Draw(t, "m")
		bare := func(format string, n uint64) string {
			e := picloud.ScriptError{Reason: picloud.ReasonPayloadInvalid, Type: "PayloadLimitExceeded", Message: fmt.Sprintf(format, n)}
			return e.Fingerprint("s")
		}
		if bare("the result has %d bytes", n) != bare("the result has %d bytes", m) {
			t.Fatal("a number is no cause")
		}
		if bare("the result has %d bytes", n) == bare("the event has %d bytes", n) {
			t.Fatal("words are")
		}
	})
}
