package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// FindMailbox implements picloud.Emails.
func (s *Store) FindMailbox(ctx context.Context, m picloud.Mailbox) error {
	found, err := s.queries.EmailMailboxFind(ctx, m.App, m.Local)
	switch {
	case err != nil:
		return fmt.Errorf("find mailbox: %w", err)
	case !found.HasApp:
		return picloud.NotFoundError("app", m.App)
	case !found.Takes:
		return noMailbox(m)
	}
	return nil
}

func noMailbox(m picloud.Mailbox) error {
	return picloud.Errorf(picloud.NotFound, "mailbox_not_found", "no enabled email trigger of app %q takes mail for %q", m.App, m.Local)
}

// Receive implements picloud.Emails.
func (s *Store) Receive(ctx context.Context, domain picloud.MailDomain, r picloud.Received, from picloud.Origin) (executions []string, err error) {
	err = s.inTx(ctx, func(q *sqlc.Queries) error {
		executions, err = receive(ctx, q, domain, r, from)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.notifier.notify()
	return executions, nil
}

// receive queues the firings of the triggers that a mail matches and whose filters it passes, and gives the ids of their executions. Mailbox not found: the transaction must be rolled back.
func receive(ctx context.Context, q *sqlc.Queries, domain picloud.MailDomain, r picloud.Received, from picloud.Origin) ([]string, error) {
	p := sqlc.EmailReceiveManyParams{
		Data: string(r.Data), RootID: optional(from.RootID), ParentID: optional(from.ExecutionID), Depth: int32(from.Depth + 1), // bounded by MaxDepth
	}
	for _, m := range r.Mailboxes {
		id, trace := newID(), from.TraceParent
		if trace == "" {
			trace = picloud.NewTrace(id)
		}
		p.EventIds, p.AppSlugs, p.Locals = append(p.EventIds, id), append(p.AppSlugs, m.App), append(p.Locals, m.Local)
		p.Addresses, p.Traceparents = append(p.Addresses, domain.Address(m)), append(p.Traceparents, trace)
	}
	rows, err := q.EmailReceiveMany(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("receive mail: %w", err)
	}
	for i, id := range p.EventIds {
		if !slices.ContainsFunc(rows, func(r sqlc.EmailReceiveManyRow) bool { return r.EventID == id }) {
			return nil, noMailbox(r.Mailboxes[i])
		}
	}
	executions := convert(rows, func(r sqlc.EmailReceiveManyRow) string { return r.ExecutionID })
	if !slices.ContainsFunc(rows, func(r sqlc.EmailReceiveManyRow) bool { return r.Filtered }) {
		return executions, nil
	}
	left, err := sift(ctx, q, executions)
	if err != nil {
		return nil, err
	}
	return left.kept(executions), nil
}
