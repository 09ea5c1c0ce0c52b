package picloud

import (
	"context"
	"encoding/json"
	"sync"
	"time"
)

// AuditOutcome says what became of an action.
type AuditOutcome string

// The outcomes.
const (
	AuditDone   AuditOutcome = "done"
	AuditDenied AuditOutcome = "denied"
)

// AuditEntry is one line of the audit log: who did, or was kept from doing, what to what, when and from where. It never holds a secret.
type AuditEntry struct {
	ID         string
	At         time.Time
	Principal  string // name; "" = nobody who is known
	KeyID      string // "" = a session, or nobody
	Action     string // operationId of the API
	App        string // slug; "" = none
	TargetKind string // e.g. "trigger"
	TargetID   string // id or name
	Before     json.RawMessage
	After      json.RawMessage
	IP         string
	RequestID  string
	Outcome    AuditOutcome
}

// AuditFilter narrows the audit log; zero fields = any.
type AuditFilter struct {
	App       string
	Principal string
	Action    string
	Since     time.Time
	Until     time.Time // exclusive
	Outcome   AuditOutcome
}

// AuditLog is append-only.
type AuditLog interface {
	// AppendAudit writes an entry (ID and time are given by the store); it is durable when the call returns.
	AppendAudit(ctx context.Context, e AuditEntry) error
	// ListAudit gives the entries, newest first.
	ListAudit(ctx context.Context, filter AuditFilter, page Page) (List[AuditEntry], error)
}

// AuditDraft is the entry of the request that a context belongs to. The API makes it; whoever makes the change says what changed; the store writes it in the transaction of the change where
// there is one, else the API writes it before it answers. It is safe for concurrent use.
type AuditDraft struct {
	mutex   sync.Mutex
	entry   AuditEntry
	written bool
}

type auditKey struct{}

// WithAudit gives a context with a draft that starts as e.
func WithAudit(ctx context.Context, e AuditEntry) (context.Context, *AuditDraft) {
	d := &AuditDraft{entry: e}
	return context.WithValue(ctx, auditKey{}, d), d
}

// AuditFrom gives the draft of ctx; nil if there is none: every method of a nil draft does nothing.
func AuditFrom(ctx context.Context) *AuditDraft {
	d, _ := ctx.Value(auditKey{}).(*AuditDraft)
	return d
}

// RecordAudit says what the request of ctx changes: the target, and its state before and after (nil = it is not there). The values are encoded as JSON: give views without secrets.
func RecordAudit(ctx context.Context, targetKind, targetID string, before, after any) {
	d := AuditFrom(ctx)
	if d == nil {
		return
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.entry = d.entry.Of(targetKind, targetID, before, after)
}

// Of gives the entry with another target, and its state before and after; see [RecordAudit].
func (e AuditEntry) Of(targetKind, targetID string, before, after any) AuditEntry {
	e.TargetKind, e.TargetID, e.Before, e.After = targetKind, targetID, auditJSON(before), auditJSON(after)
	return e
}

func auditJSON(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil || string(b) == "null" {
		return nil
	}
	return b
}

// By says who makes the request: the name of the principal, and the id of the key ("" = a session).
func (d *AuditDraft) By(principal, keyID string) {
	if d == nil {
		return
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.entry.Principal, d.entry.KeyID = principal, keyID
}

// Pending gives the entry if it is not written yet.
func (d *AuditDraft) Pending() (AuditEntry, bool) {
	if d == nil {
		return AuditEntry{}, false
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.entry, !d.written
}

// MarkWritten says that the entry is in the log.
func (d *AuditDraft) MarkWritten() {
	if d == nil {
		return
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.written = true
}
