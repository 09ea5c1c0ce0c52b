package api

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/picloud/picloud/internal/picloud"
)

// temporalURL is the page of an execution in the Temporal UI; nil while there is no workflow.
func (s *server) temporalURL(x picloud.Execution) *string {
	if x.Status == picloud.StatusQueued {
		return nil
	}
	return orNil(s.Engine.URL(x.Kind, x.ID))
}

func (s *server) toSummary(x picloud.Execution) ExecutionSummary {
	return ExecutionSummary{
		ID: x.ID, Status: ExecutionStatus(x.Status), Script: x.Script, Version: orNil(x.Version), Trigger: orNil(x.Trigger), Kind: string(x.Kind),
		Error: toScriptError(x.Error), Depth: x.Depth, RootID: x.RootID, ParentID: orNil(x.ParentID), ReplayOf: orNil(x.ReplayOf),
		Principal: x.Principal, QueuedAt: x.QueuedAt.UTC(), StartedAt: instant(x.StartedAt), FinishedAt: instant(x.FinishedAt),
		TemporalURL: s.temporalURL(x),
	}
}

func (s *server) toExecution(x picloud.Execution) (Execution, error) {
	result, err := toResult(x.Result)
	if err != nil {
		return Execution{}, err
	}
	return Execution{
		ID: x.ID, Status: ExecutionStatus(x.Status), Script: x.Script, Version: orNil(x.Version), Trigger: orNil(x.Trigger), Kind: string(x.Kind),
		Event: toEvent(x.Event), Result: result, Error: toScriptError(x.Error), Attempts: convert(x.Attempts, toAttempt),
		Logs: convert(x.Logs, toLogLine), Effects: convert(x.Effects, toEffect), Depth: x.Depth, RootID: x.RootID, ParentID: orNil(x.ParentID),
		ReplayOf: orNil(x.ReplayOf), Principal: x.Principal, QueuedAt: x.QueuedAt.UTC(), StartedAt: instant(x.StartedAt),
		FinishedAt: instant(x.FinishedAt), TemporalURL: s.temporalURL(x),
	}, nil
}

// toResult gives a result as one JSON value: what the script returned, or for a Response {status, headers, body}, body_encoding "base64" where
// the body is no text.
func toResult(r *picloud.Result) (json.RawMessage, error) {
	if r == nil || r.Response == nil {
		if r == nil || len(r.Value) == 0 {
			return json.RawMessage("null"), nil
		}
		return r.Value, nil
	}
	response := struct {
		Status       int         `json:"status"`
		Headers      [][2]string `json:"headers"`
		Body         string      `json:"body"`
		BodyEncoding string      `json:"body_encoding,omitempty"`
	}{Status: r.Response.Status, Headers: append([][2]string{}, r.Response.Headers...), Body: string(r.Response.Body)}
	if !utf8.Valid(r.Response.Body) {
		response.Body, response.BodyEncoding = base64.StdEncoding.EncodeToString(r.Response.Body), base64Encoding
	}
	raw, err := json.Marshal(response)
	if err != nil {
		return nil, fmt.Errorf("encode response: %w", err)
	}
	return raw, nil
}

func toScriptError(e *picloud.ScriptError) *ScriptError {
	if e == nil {
		return nil
	}
	return &ScriptError{Type: e.Type, Message: e.Message, Stack: e.Stack}
}

func toEvent(e *picloud.Event) *Event {
	if e == nil {
		return nil
	}
	return &Event{
		Specversion: e.SpecVersion, ID: e.ID, Source: e.Source, Type: e.Type, Subject: orNil(e.Subject), Time: e.Time.UTC(),
		Datacontenttype: orNil(e.DataContentType), Data: e.Data, Rootid: e.RootID, Parentid: orNil(e.ParentID), Depth: e.Depth,
		Traceparent: orNil(e.TraceParent), Replayof: orNil(e.ReplayOf), Partitionkey: orNil(e.PartitionKey),
	}
}

func toAttempt(a picloud.Attempt) Attempt {
	out := Attempt{
		Attempt: a.Attempt, Error: toScriptError(a.Error), Logs: convert(a.Logs, toLogLine), StartedAt: instant(a.StartedAt),
		FinishedAt: instant(a.FinishedAt),
	}
	if a.RetryAfter > 0 {
		after := formatDuration(a.RetryAfter)
		out.RetryAfter = &after
	}
	return out
}

func toLogLine(l picloud.LogLine) LogLine {
	line := LogLine{Time: l.Time.UTC(), Level: l.Level, Message: l.Message}
	var values []json.RawMessage
	if len(l.Values) > 0 && json.Unmarshal(l.Values, &values) == nil {
		for _, v := range values {
			line.Values = append(line.Values, &v)
		}
	}
	return line
}

func toEffect(e picloud.Effect) Effect {
	e = e.Kept() // of a dry run too
	return Effect{
		Type: string(e.Type), Collection: orNil(e.Collection), Key: orNil(e.Key), Topic: orNil(e.Topic), Queue: orNil(e.Queue), Delay: optionalDuration(e.Delay), Priority: orNil(e.Priority), OrderingKey: orNil(e.OrderingKey),
		To: e.To, Subject: orNil(e.Subject), Size: orNil(e.Size), Value: e.Value,
	}
}
