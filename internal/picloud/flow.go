package picloud

import "time"

// Flow is how the firings of one trigger are let go: see docs/triggers.md for the order in which its parts apply. Keys are CEL expressions over the event, whose values group the
// firings; "" = all of the trigger's are one group.
type Flow struct {
	Concurrency *FlowConcurrency `json:"concurrency,omitempty"`
	Throttle    *FlowThrottle    `json:"throttle,omitempty"`
	Debounce    *FlowDebounce    `json:"debounce,omitempty"`
	Delay       time.Duration    `json:"delay,omitempty"`    // between the event and the earliest start
	Priority    int              `json:"priority,omitempty"` // among the firings of the app that are due: higher first; added to that of a queue's message
}

// FlowConcurrency bounds the executions that have begun and not ended, in the whole cluster.
type FlowConcurrency struct {
	Limit int    `json:"limit"`
	Key   string `json:"key,omitempty"`
}

// FlowThrottle bounds the executions that begin in any period of the length Per; further ones wait.
type FlowThrottle struct {
	Limit int           `json:"limit"`
	Per   time.Duration `json:"per"`
	Key   string        `json:"key,omitempty"`
}

// FlowDebounce lets a firing go when no other has come for Period: of those that follow each other faster only the last one runs.
type FlowDebounce struct {
	Period time.Duration `json:"period"`
	Key    string        `json:"key,omitempty"`
}

// The bounds of what a Flow may say.
const (
	MaxFlowLimit   = 10_000
	MinFlowPeriod  = 10 * time.Millisecond
	MaxThrottlePer = 24 * time.Hour
	MaxFlowDelay   = MaxQueueDelay
)

// Check says what is wrong with the flow control of t, but for its keys; fields are named "flow.<field>".
func (f Flow) Check(t Trigger) error {
	var wrong []FieldError
	say := func(bad bool, field, message string) {
		if bad {
			wrong = append(wrong, FieldError{Field: "flow" + field, Message: message})
		}
	}
	say(t.Kind == KindCron, "", "means nothing for a schedule: it says itself when it fires (schedule, jitter), and overlap says how many run at a time")
	say(t.HTTP != nil && t.HTTP.Mode == HTTPSync, "", `means nothing while a caller waits: use mode "async"`)
	if c := f.Concurrency; c != nil {
		say(c.Limit < 1 || c.Limit > MaxFlowLimit, ".concurrency.limit", "must be 1 to 10000")
		say(t.Queue != nil && c.Key == "", ".concurrency.key", "is missing: for a queue as a whole use config.max_concurrency")
	}
	if l := f.Throttle; l != nil {
		say(l.Limit < 1 || l.Limit > MaxFlowLimit, ".throttle.limit", "must be 1 to 10000")
		say(l.Per < MinFlowPeriod || l.Per > MaxThrottlePer, ".throttle.per", `must be "10ms" to "24h"`)
	}
	if d := f.Debounce; d != nil {
		say(d.Period < MinFlowPeriod || d.Period > MaxFlowDelay, ".debounce.period", `must be "10ms" to "168h"`)
		say(t.Kind == KindDeadLetter, ".debounce", "would leave dead letters unhandled")
	}
	say(f.Delay < 0 || f.Delay > MaxFlowDelay, ".delay", `must be "0s" to "168h"`)
	say(f.Priority < MinQueuePriority || f.Priority > MaxQueuePriority, ".priority", "must be -100 to 100")
	if wrong != nil {
		return InvalidFields(wrong...)
	}
	return nil
}

// Keys gives the expressions of the flow's keys, by the names of their fields; those that are left out are missing.
func (f Flow) Keys() map[string]string {
	keys := map[string]string{}
	add := func(field, text string) {
		if text != "" {
			keys[field] = text
		}
	}
	if f.Concurrency != nil {
		add("flow.concurrency.key", f.Concurrency.Key)
	}
	if f.Throttle != nil {
		add("flow.throttle.key", f.Throttle.Key)
	}
	if f.Debounce != nil {
		add("flow.debounce.key", f.Debounce.Key)
	}
	return keys
}
