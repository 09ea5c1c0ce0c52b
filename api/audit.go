package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/picloud"
)

// Strangers are noted in the audit log up to this rate: whoever tries keys shall not fill the disk. The rest is in the process's own log.
const (
	strangersPerSecond = 5
	strangersBurst     = 100
)

func newStrangers() *rate.Limiter { return rate.NewLimiter(strangersPerSecond, strangersBurst) }

// draftAudit begins the request's audit entry: who is filled in when it is written, what by picloud.RecordAudit.
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

// identifyAudit fills in who.
func identifyAudit(ctx context.Context, e *picloud.AuditEntry) {
	caller, _ := auth.CallerFrom(ctx)
	e.Principal = caller.Principal.Name
	if caller.Key != nil {
		e.KeyID = caller.Key.ID
	}
}

// auditChange ends an operation that succeeded, before it is answered: a change is in the log already, where the store wrote it with the change, or is written here.
func (s *server) auditChange(c *gin.Context) error {
	r, guarded := c.Value(ruleKey).(rule)
	if !guarded || r.read() || (r.dataPlane && !s.AuditData) {
		return nil
	}
	return s.auditNow(c)
}

// auditNow writes the request's entry, unless it is written.
func (s *server) auditNow(c *gin.Context) error {
	draft := picloud.AuditFrom(c.Request.Context())
	entry, pending := draft.Pending()
	if !pending {
		return nil
	}
	identifyAudit(c.Request.Context(), &entry)
	if err := s.Audit.AppendAudit(c.Request.Context(), entry); err != nil {
		return err
	}
	draft.MarkWritten()
	return nil
}

// auditDenied notes a denied call. One without any key is none of the log's: it has tried nothing.
func (s *server) auditDenied(c *gin.Context, reason error) error {
	e := picloud.AsError(reason)
	if e.Kind == picloud.Unauthenticated && (e.Code == "unauthenticated" || !s.strangers.Allow()) {
		s.log(c).WithField("code", e.Code).WithField("ip", c.ClientIP()).Warn("request refused: nobody known")
		return nil
	}
	draft := picloud.AuditFrom(c.Request.Context())
	entry, _ := draft.Pending()
	identifyAudit(c.Request.Context(), &entry)
	entry.Outcome = picloud.AuditDenied
	after, err := json.Marshal(map[string]string{"code": e.Code, "detail": e.Message})
	if err != nil {
		return fmt.Errorf("encode denial: %w", err)
	}
	entry.After = after
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
