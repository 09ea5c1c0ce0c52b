package picloud

import "strings"

// The W3C trace context of an event that came without one, and of all that follows from an event, is made of ids that are there already: the trace id of a new trace is that of its first event, and
// the span of an execution is the last sixteen digits of its id. So a span is found from its execution and the other way round, and whoever makes them again makes the same.
// Source: https://www.w3.org/TR/trace-context/#traceparent-header; a UUIDv7 has random bits where the header's random flag wants them.

// spanLength is the number of hex digits of a span id.
const spanLength = 16

// NewTrace gives the trace context of a first event, by its id (a UUID).
func NewTrace(eventID string) string {
	id := strings.ReplaceAll(eventID, "-", "")
	if len(id) != 2*spanLength {
		return ""
	}
	return "00-" + id + "-" + id[spanLength:] + "-01"
}

// ExecutionTrace gives the trace context of what an execution (a UUID) does that was fired by an event with that trace context: the same trace, the execution's span. "" where the event has none.
func ExecutionTrace(traceParent, executionID string) string {
	id := strings.ReplaceAll(executionID, "-", "")
	parts := strings.Split(traceParent, "-")
	if len(parts) != 4 || len(id) != 2*spanLength {
		return traceParent
	}
	parts[2] = id[spanLength:]
	return strings.Join(parts, "-")
}
