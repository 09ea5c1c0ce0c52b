package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// newEvent makes an event from outside: the root of its tree. Its type is left to the caller.
func newEvent(ctx context.Context, source, subject string, data json.RawMessage) picloud.Event {
	id := newID()
	return picloud.Event{
		SpecVersion: "1.0", ID: id, Source: source, Subject: subject, Time: time.Now().UTC(), DataContentType: "application/json",
		Data: data, RootID: id, Depth: 1, TraceParent: traceParentFrom(ctx),
	}
}

// newFiring makes the firing of event at the active version of an endpoint's script; t is nil without a trigger.
func (s *server) newFiring(e picloud.Endpoint, t *picloud.Trigger, event picloud.Event, caller string) picloud.Firing {
	f := picloud.Firing{
		ExecutionID: newID(), AppID: e.App.ID, App: e.App.Slug, ScriptID: e.ScriptID, Script: e.Script, Version: e.Version,
		Kind: picloud.KindHTTP, EventID: event.ID, RootID: event.RootID, Depth: event.Depth, MaxDepth: s.MaxDepth,
		Principal: caller, Wall: e.Limits.Wall, Retry: s.Retry, QueuedAt: time.Now().UTC(),
	}
	if t != nil {
		f.TriggerID, f.Trigger, f.Kind, f.Principal = t.ID, t.Name, t.Kind, t.RegisteredByPrincipal
		if t.Retry != nil {
			f.Retry = *t.Retry
		}
		if t.MaxDepth > 0 {
			f.MaxDepth = min(t.MaxDepth, s.MaxDepth)
		}
		if t.HTTP != nil {
			f.OnDisconnect = t.HTTP.OnDisconnect
		}
	}
	return f
}

// runGrace is what a synchronous call waits beyond the script's own limit: for its start, and for runs again after a conflict.
const runGrace = 5 * time.Second

// runSync starts a firing with the caller waiting in the inbox, and gives its end. errWaitExpired when wait is over first, errWaitCanceled when that has
// canceled it.
func (s *server) runSync(ctx context.Context, f picloud.Firing, event picloud.Event, wait time.Duration) (picloud.Committed, error) {
	address, delivery, done := s.Inbox.Open(f.ExecutionID)
	defer done()
	f.ReplyTo = address
	if len(event.Data) <= picloud.MaxInlineEvent {
		f.Event = &event
	} else if err := s.Outbox.KeepEvent(ctx, f.AppID, event); err != nil {
		return picloud.Committed{}, err
	}
	if err := s.Engine.Start(ctx, f); err != nil {
		return picloud.Committed{}, engineFault(err)
	}
	end, err := s.awaitEnd(ctx, f.AppID, f.ExecutionID, delivery, wait)
	switch {
	case err == nil && ctx.Err() != nil:
		s.abandon(context.WithoutCancel(ctx), f, end)
	case errors.Is(err, errWaitExpired) || ctx.Err() != nil:
		return s.leave(ctx, f, delivery, done, err)
	}
	return end, err
}

// checkPayload says whether data that a caller gives is within a script's limit.
func checkPayload(data json.RawMessage, limits picloud.Limits) error {
	return checkSize(data, limits.PayloadBytes)
}

func checkSize(data json.RawMessage, most int) error {
	if len(data) > most {
		return picloud.Errorf(picloud.TooLarge, "payload_too_large", "the event's data has %d bytes: at most %d", len(data), most)
	}
	return nil
}

var traceParentForm = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// traceParent gives the caller's W3C trace context, or a new one where it has none that is valid.
// Source: https://www.w3.org/TR/trace-context/#traceparent-header
func traceParent(h http.Header) string {
	given := h.Values("Traceparent")
	if len(given) != 1 || !traceParentForm.MatchString(given[0]) || strings.HasPrefix(given[0], "ff-") ||
		strings.Contains(given[0], "-"+strings.Repeat("0", 32)+"-") || strings.Contains(given[0], "-"+strings.Repeat("0", 16)+"-") {
		return newTraceParent()
	}
	return given[0]
}

func newTraceParent() string {
	var random [24]byte
	_, _ = rand.Read(random[:]) // never fails, see crypto/rand
	return "00-" + hex.EncodeToString(random[:16]) + "-" + hex.EncodeToString(random[16:]) + "-01"
}

type traceParentKey struct{}

// traceParentFrom gives the trace context of the request that ctx belongs to.
func traceParentFrom(ctx context.Context) string {
	t, _ := ctx.Value(traceParentKey{}).(string)
	return t
}
