package picloud

import (
	"math"
	"slices"
	"time"
)

// Jitter spreads retries: none (the delay as computed), full (uniform in 0..delay) or equal (half fixed, half uniform). The names are
// those of the AWS architecture blog, "Exponential Backoff And Jitter".
type Jitter string

// The kinds of jitter.
const (
	JitterNone  Jitter = "none"
	JitterFull  Jitter = "full"
	JitterEqual Jitter = "equal"
)

// RetryPolicy says how often and when a failed attempt is tried again.
type RetryPolicy struct {
	MaximumAttempts    int           `json:"maximum_attempts"` // the first one included; at least 1
	InitialInterval    time.Duration `json:"initial_interval"`
	BackoffCoefficient float64       `json:"backoff_coefficient"` // at least 1
	MaximumInterval    time.Duration `json:"maximum_interval"`
	Jitter             Jitter        `json:"jitter,omitempty"`           // "" is none
	MaximumDuration    time.Duration `json:"maximum_duration,omitempty"` // from the start of the first attempt; 0 = no bound
	NonRetryableErrors []string      `json:"non_retryable_errors,omitempty"`
}

// DefaultRetryPolicy is the instance's default where PICLOUD_TRIGGER_RETRY_* says nothing else.
var DefaultRetryPolicy = RetryPolicy{
	MaximumAttempts: 3, InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute, Jitter: JitterNone,
}

// The bounds that Check holds.
const (
	MaxRetryAttempts = 100
	MaxRetryInterval = 24 * time.Hour
	MaxRetryDuration = 30 * 24 * time.Hour
)

// Backoff gives the delay after the attempt-th failed attempt (1 = the first), before jitter.
func (p RetryPolicy) Backoff(attempt int) time.Duration {
	d := float64(p.InitialInterval) * math.Pow(p.BackoffCoefficient, float64(max(attempt, 1)-1))
	if m := float64(p.MaximumInterval); p.MaximumInterval > 0 && d > m {
		d = m
	}
	if d > float64(MaxRetryInterval) {
		return MaxRetryInterval
	}
	return time.Duration(d)
}

// Delay gives the delay after the attempt-th failed attempt; random is uniform in [0,1) and places it within the jitter.
func (p RetryPolicy) Delay(attempt int, random float64) time.Duration {
	d := p.Backoff(attempt)
	switch p.Jitter {
	case JitterFull:
		return time.Duration(random * float64(d))
	case JitterEqual:
		return d/2 + time.Duration(random*float64(d)/2)
	default:
		return d
	}
}

// Retryable reports whether an error of that class may be tried again.
func (p RetryPolicy) Retryable(errorType string) bool {
	return !slices.Contains(p.NonRetryableErrors, errorType)
}

// Check says what is wrong with the policy; fields are named "retry.<field>".
func (p RetryPolicy) Check() error {
	var wrong []FieldError
	say := func(bad bool, field, message string) {
		if bad {
			wrong = append(wrong, FieldError{Field: "retry." + field, Message: message})
		}
	}
	say(p.MaximumAttempts < 1 || p.MaximumAttempts > MaxRetryAttempts, "maximum_attempts", "must be 1 to 100 (the first attempt included)")
	say(p.InitialInterval < time.Millisecond || p.InitialInterval > MaxRetryInterval, "initial_interval", `must be "1ms" to "24h"`)
	say(math.IsNaN(p.BackoffCoefficient) || p.BackoffCoefficient < 1 || p.BackoffCoefficient > 100, "backoff_coefficient", "must be 1 to 100")
	say(p.MaximumInterval < p.InitialInterval || p.MaximumInterval > MaxRetryInterval, "maximum_interval", `must be initial_interval to "24h"`)
	say(!slices.Contains([]Jitter{"", JitterNone, JitterFull, JitterEqual}, p.Jitter), "jitter", "must be none, full or equal")
	say(p.MaximumDuration < 0 || p.MaximumDuration > MaxRetryDuration, "maximum_duration", `must be "0s" (no bound) to "720h"`)
	say(len(p.NonRetryableErrors) > 50, "non_retryable_errors", "at most 50 error classes")
	if wrong != nil {
		return InvalidFields(wrong...)
	}
	return nil
}
