package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/picloud"
)

// The denied calls of those whom nobody knows have entries of their own up to this rate: whoever tries keys shall not fill the disk.
const (
	strangersPerSecond = 1
	strangersBurst     = 100
)

// strangers counts the denied calls of those whom nobody knows.
type strangers struct {
	entries *rate.Limiter
	leftOut atomic.Int64 // since the last entry
}

func newStrangers() *strangers {
	return &strangers{entries: rate.NewLimiter(strangersPerSecond, strangersBurst)}
}

// take counts a call, and says whether it has an entry: then with the number of those before it that have none.
func (s *strangers) take() (before int64, ok bool) {
	if !s.entries.Allow() {
		s.leftOut.Add(1)
		return 0, false
	}
	return s.leftOut.Swap(0), true
}

// draftAudit begins the request's audit entry: who is filled in by identifyAudit, what by picloud.RecordAudit.
func (s *server) draftAudit(c *gin.Context, r rule) {
	kind, id := "", ""
	for _, p := range c.Params {
		if p.Key != "app" && p.Key != "path" {
			kind, id = p.Key, p.Value // the last one names what it is about
		}
	}
	action := r.operation
	if isIngress(c) {
		action = "ingress"
	} else if action == "temporalUI" {
		action, kind, id = "temporalUI", strings.ToLower(c.Request.Method), c.Request.URL.Path
	}
	ctx, _ := picloud.WithAudit(c.Request.Context(), picloud.AuditEntry{
		Action: action, App: auditText(c.Param("app")), TargetKind: kind, TargetID: auditText(id), IP: c.ClientIP(),
		RequestID: c.Writer.Header().Get(requestIDHeader), Outcome: picloud.AuditDone,
	})
	c.Request = c.Request.WithContext(ctx)
	c.Set(ruleKey, r)
}

const ruleKey = "rule"

// auditText gives what came from outside in a form that can be stored.
func auditText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s[:min(len(s), 300)], "\uFFFD"), "\x00", "\uFFFD")
}

// identifyAudit says in the draft who calls: the store writes it with the change, and knows no callers.
func identifyAudit(ctx context.Context, caller auth.Caller) {
	key := ""
	if caller.Key != nil {
		key = caller.Key.ID
	}
	picloud.AuditFrom(ctx).By(caller.Principal.Name, key)
}

// auditChange ends an operation that succeeded, before it is answered: a change is in the log already, where the store wrote it with the change, or is written here.
func (s *server) auditChange(c *gin.Context) error {
	r, guarded := c.Value(ruleKey).(rule)
	if !guarded || r.read() || (r.dataPlane && !s.AuditData) {
		return nil
	}
	return s.auditNow(c.Request.Context())
}

// auditNow writes the entry of the request that ctx belongs to, unless it is written.
func (s *server) auditNow(ctx context.Context) error {
	draft := picloud.AuditFrom(ctx)
	entry, pending := draft.Pending()
	if !pending {
		return nil
	}
	if err := s.Audit.AppendAudit(ctx, entry); err != nil {
		return err
	}
	draft.MarkWritten()
	return nil
}

// auditDenied notes a denied call. Of calls by nobody who is known some are counted only, in the entry of the next one: see strangers.
func (s *server) auditDenied(c *gin.Context, reason error) error {
	e := picloud.AsError(reason)
	after := map[string]any{"code": e.Code, "detail": e.Message}
	if _, known := auth.CallerFrom(c.Request.Context()); !known {
		s.log(c).WithField("code", e.Code).WithField("ip", c.ClientIP()).Warn("request refused: nobody known")
		before, ok := s.strangers.take()
		if !ok {
			return nil
		}
		if before > 0 {
			after["left_out_before"] = before
		}
	}
	draft := picloud.AuditFrom(c.Request.Context())
	entry, _ := draft.Pending()
	entry.Outcome = picloud.AuditDenied
	var err error
	if entry.After, err = json.Marshal(after); err != nil {
		return fmt.Errorf("encode denial: %w", err)
	}
	return s.Audit.AppendAudit(c.Request.Context(), entry)
}

// ListAudit implements StrictServerInterface.
func (s *server) ListAudit(ctx context.Context, request ListAuditRequestObject) (ListAuditResponseObject, error) {
	q := request.Params
	p, err := idPage(q.Limit, q.Cursor)
	if err != nil {
		return nil, err
	}
	f := picloud.AuditFilter{App: deref(q.App), Principal: deref(q.Principal), Action: deref(q.Action), Outcome: picloud.AuditOutcome(deref(q.Outcome))}
	if err := checkFilters("app", f.App, "principal", f.Principal, "action", f.Action); err != nil {
		return nil, err
	}
	if f.Outcome != "" && f.Outcome != picloud.AuditDone && f.Outcome != picloud.AuditDenied {
		return nil, picloud.InvalidField("outcome", "must be done or denied")
	}
	if f.Since, err = parseInstant("since", deref(q.Since)); err != nil {
		return nil, err
	}
	if f.Until, err = parseInstant("until", deref(q.Until)); err != nil {
		return nil, err
	}
	list, err := s.Audit.ListAudit(ctx, f, p)
	if err != nil {
		return nil, err
	}
	return ListAudit200JSONResponse{Items: convert(list.Items, toAuditEntry), NextCursor: orNil(list.Next)}, nil
}

func toAuditEntry(e picloud.AuditEntry) AuditEntry {
	return AuditEntry{
		ID: e.ID, At: e.At.UTC(), Principal: orNil(e.Principal), KeyID: orNil(e.KeyID), Action: e.Action, App: orNil(e.App),
		TargetKind: orNil(e.TargetKind), TargetID: orNil(e.TargetID), Before: orNull(e.Before), After: orNull(e.After), IP: e.IP, RequestID: e.RequestID, Outcome: string(e.Outcome),
	}
}

// orNull gives JSON's null for no value.
func orNull(v json.RawMessage) json.RawMessage {
	if v == nil {
		return json.RawMessage("null")
	}
	return v
}

// parseInstant reads an optional time.
func parseInstant(field, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, picloud.InvalidField(field, `%q is no time: use RFC 3339, e.g. "2026-01-02T15:04:05Z"`, s[:min(len(s), 50)])
	}
	return t, nil
}
