package store

import (
	"context"
	"fmt"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// audit writes the audit entry of the request that ctx belongs to, in the transaction of q that makes the change. Without a request there is none. Give the error of the transaction to
// [Store.audited].
func audit(ctx context.Context, q *sqlc.Queries, kind, id string, before, after any) error {
	picloud.RecordAudit(ctx, kind, id, before, after)
	entry, pending := picloud.AuditFrom(ctx).Pending()
	if !pending {
		return nil
	}
	return insertAudit(ctx, q, entry)
}

// auditAlso writes a further entry of the request: of what its change brings with it, in that app.
func auditAlso(ctx context.Context, q *sqlc.Queries, app, kind, id string, before, after any) error {
	entry, pending := picloud.AuditFrom(ctx).Pending()
	if !pending {
		return nil
	}
	entry.App = app
	return insertAudit(ctx, q, entry.Of(kind, id, before, after))
}

// audited ends a change that wrote its audit entry in its own transaction: when that is committed, the entry is in the log.
func (s *Store) audited(ctx context.Context, err error) error {
	if err == nil {
		picloud.AuditFrom(ctx).MarkWritten()
	}
	return err
}

// AppendAudit implements picloud.AuditLog.
func (s *Store) AppendAudit(ctx context.Context, e picloud.AuditEntry) error {
	return insertAudit(ctx, s.queries, e)
}

func insertAudit(ctx context.Context, q *sqlc.Queries, e picloud.AuditEntry) error {
	err := q.AuditInsert(ctx, sqlc.AuditInsertParams{
		Principal: e.Principal, KeyID: optional(e.KeyID), Action: e.Action, App: e.App, TargetKind: e.TargetKind, TargetID: e.TargetID,
		Before: e.Before, After: e.After, Ip: e.IP, RequestID: e.RequestID, Outcome: string(e.Outcome),
	})
	if err != nil {
		return fmt.Errorf("append to audit log: %w", err)
	}
	return nil
}

// ListAudit implements picloud.AuditLog.
func (s *Store) ListAudit(ctx context.Context, filter picloud.AuditFilter, page picloud.Page) (picloud.List[picloud.AuditEntry], error) {
	var none picloud.List[picloud.AuditEntry]
	if err := checkCursor(page.Cursor); err != nil {
		return none, err
	}
	rows, err := s.queries.AuditList(ctx, sqlc.AuditListParams{
		BeforeID: optional(page.Cursor), App: filter.App, Principal: filter.Principal, Action: filter.Action, Outcome: string(filter.Outcome),
		Since: since(filter.Since), Until: since(filter.Until), Max: size(page),
	})
	if err != nil {
		return none, fmt.Errorf("list audit log: %w", err)
	}
	items := convert(rows, func(r sqlc.AuditLog) picloud.AuditEntry {
		return picloud.AuditEntry{
			ID: r.ID, At: r.At.UTC(), Principal: r.Principal, KeyID: value(r.KeyID), Action: r.Action, App: r.App, TargetKind: r.TargetKind, TargetID: r.TargetID,
			Before: r.Before, After: r.After, IP: r.Ip, RequestID: r.RequestID, Outcome: picloud.AuditOutcome(r.Outcome),
		}
	})
	return cut(items, bounded(page), func(e picloud.AuditEntry) string { return e.ID }), nil
}
