package store

import (
	"context"
	"fmt"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// CreatePrincipal implements picloud.Principals.
func (s *Store) CreatePrincipal(ctx context.Context, p picloud.Principal, passwordHash string) (picloud.Principal, error) {
	err := s.inTx(ctx, func(q *sqlc.Queries) error {
		row, err := q.PrincipalInsert(ctx, sqlc.PrincipalInsertParams{
			Kind: string(p.Kind), Name: p.Name, Email: optional(p.Email), InstanceAdmin: p.InstanceAdmin, Disabled: p.Disabled, PasswordHash: optional(passwordHash),
		})
		switch {
		case violates(err, uniqueViolation, "principals_email_key"):
			return emailTaken(p.Email)
		case violates(err, uniqueViolation, ""):
			return picloud.Errorf(picloud.Conflict, "principal_exists", "the name %q is taken, or was that of a deleted principal: choose another", p.Name)
		case err != nil:
			return fmt.Errorf("insert principal: %w", err)
		}
		p = toPrincipal(row)
		return audit(ctx, q, "principal", p.Name, nil, principalView(p))
	})
	return p, s.audited(ctx, err)
}

func emailTaken(email string) error {
	return picloud.Errorf(picloud.Conflict, "email_taken", "the e-mail address %q is another principal's", email)
}

// Principal implements picloud.Principals.
func (s *Store) Principal(ctx context.Context, id string) (picloud.Principal, error) {
	row, err := s.queries.PrincipalGet(ctx, id)
	return onePrincipal(row, err, id)
}

func onePrincipal(row sqlc.Principal, err error, id string) (picloud.Principal, error) {
	if isMissing(err) {
		return picloud.Principal{}, picloud.NotFoundError("principal", id)
	}
	if err != nil {
		return picloud.Principal{}, fmt.Errorf("get principal: %w", err)
	}
	return toPrincipal(row), nil
}

// ListPrincipals implements picloud.Principals.
func (s *Store) ListPrincipals(ctx context.Context, page picloud.Page) (picloud.List[picloud.Principal], error) {
	rows, err := s.queries.PrincipalList(ctx, page.Cursor, size(page))
	if err != nil {
		return picloud.List[picloud.Principal]{}, fmt.Errorf("list principals: %w", err)
	}
	return cut(convert(rows, toPrincipal), bounded(page), func(p picloud.Principal) string { return p.Name }), nil
}

// UpdatePrincipal implements picloud.Principals.
func (s *Store) UpdatePrincipal(ctx context.Context, id string, patch picloud.PrincipalPatch) (p picloud.Principal, stopped []string, err error) {
	err = s.changePrincipal(ctx, id, func(q *sqlc.Queries, row sqlc.Principal) error {
		before := toPrincipal(row)
		params := sqlc.PrincipalUpdateParams{ID: row.ID, Email: row.Email, InstanceAdmin: row.InstanceAdmin, Disabled: row.Disabled, PasswordHash: row.PasswordHash}
		if patch.Email != nil {
			params.Email = optional(*patch.Email)
		}
		if patch.InstanceAdmin != nil {
			params.InstanceAdmin = *patch.InstanceAdmin
		}
		if patch.Disabled != nil {
			params.Disabled = *patch.Disabled
		}
		if patch.PasswordHash != nil {
			params.PasswordHash = optional(*patch.PasswordHash)
		}
		updated, err := q.PrincipalUpdate(ctx, params)
		if violates(err, uniqueViolation, "") {
			return emailTaken(value(patch.Email))
		}
		if err != nil {
			return fmt.Errorf("update principal: %w", err)
		}
		p = toPrincipal(updated)
		if p.Disabled || patch.PasswordHash != nil || p.Email != before.Email { // what they were begun by holds no more
			if err := endSessions(ctx, q, row.ID); err != nil {
				return err
			}
		}
		if p.Disabled {
			if stopped, err = stopTriggers(ctx, q, p.Name, "disabled"); err != nil {
				return err
			}
		}
		after := principalView(p)
		if patch.PasswordHash != nil {
			after["password_changed"] = true
		}
		return audit(ctx, q, "principal", p.Name, principalView(before), after)
	})
	return p, stopped, err
}

// DeletePrincipal implements picloud.Principals.
func (s *Store) DeletePrincipal(ctx context.Context, id string) (stopped []string, err error) {
	err = s.changePrincipal(ctx, id, func(q *sqlc.Queries, row sqlc.Principal) (err error) {
		if stopped, err = stopTriggers(ctx, q, row.Name, "deleted"); err != nil {
			return err
		}
		if err := endSessions(ctx, q, row.ID); err != nil {
			return err
		}
		if err := q.PrincipalDelete(ctx, row.ID); err != nil {
			return fmt.Errorf("delete principal: %w", err)
		}
		return audit(ctx, q, "principal", row.Name, principalView(toPrincipal(row)), nil)
	})
	return stopped, err
}

// changePrincipal runs change on a locked principal, in one transaction that must leave an admin.
func (s *Store) changePrincipal(ctx context.Context, id string, change func(*sqlc.Queries, sqlc.Principal) error) error {
	err := s.inTx(ctx, func(q *sqlc.Queries) error {
		if err := q.PrincipalAdminsLock(ctx); err != nil {
			return fmt.Errorf("lock admins: %w", err)
		}
		row, err := q.PrincipalLock(ctx, id)
		if _, err := onePrincipal(row, err, id); err != nil {
			return err
		}
		if err := change(q, row); err != nil {
			return err
		}
		admins, err := q.PrincipalCountAdmins(ctx)
		if err != nil {
			return fmt.Errorf("count admins: %w", err)
		}
		if admins == 0 {
			return picloud.Errorf(picloud.Conflict, "last_admin", "%q is the last instance admin: make another one first", row.Name)
		}
		return nil
	})
	return s.audited(ctx, err)
}

// endSessions ends all sessions of a principal.
func endSessions(ctx context.Context, q *sqlc.Queries, principalID string) error {
	if err := q.SessionDeleteAll(ctx, principalID); err != nil {
		return fmt.Errorf("end sessions of principal: %w", err)
	}
	return nil
}

// stopTriggers disables what a principal registered, and gives the ids of those of kind cron: their timers are to go.
func stopTriggers(ctx context.Context, q *sqlc.Queries, principal, what string) ([]string, error) {
	reason := fmt.Sprintf("principal %q is %s: register the trigger as another by enabling it", principal, what)
	rows, err := q.PrincipalStopTriggers(ctx, reason, principal)
	if err != nil {
		return nil, fmt.Errorf("disable triggers of principal: %w", err)
	}
	var cron []string
	for _, r := range rows {
		err := auditAlso(ctx, q, r.App, "trigger", r.ID, map[string]any{"name": r.Name, "enabled": true}, map[string]any{"name": r.Name, "enabled": false, "disabled_reason": reason})
		if err != nil {
			return nil, err
		}
		if picloud.Kind(r.Kind) == picloud.KindCron {
			cron = append(cron, r.ID)
		}
	}
	return cron, nil
}

// Memberships implements picloud.Principals.
func (s *Store) Memberships(ctx context.Context, id string) ([]picloud.Membership, error) {
	rows, err := s.queries.MembershipList(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("list memberships: %w", err)
	}
	return convert(rows, func(r sqlc.MembershipListRow) picloud.Membership {
		return picloud.Membership{App: r.Slug, Role: picloud.Role(r.Role)}
	}), nil
}

// PutMember implements picloud.Principals.
func (s *Store) PutMember(ctx context.Context, app picloud.App, principal string, role picloud.Role) (m picloud.Member, err error) {
	err = s.inTx(ctx, func(q *sqlc.Queries) error {
		row, err := q.PrincipalLock(ctx, principal)
		p, err := onePrincipal(row, err, principal)
		if err != nil {
			return err
		}
		before, err := q.MemberGet(ctx, app.ID, p.ID)
		if err != nil && !isMissing(err) {
			return fmt.Errorf("get member: %w", err)
		}
		put, err := q.MemberPut(ctx, app.ID, p.ID, string(role))
		if violates(err, foreignKeyViolation, "") {
			return picloud.NotFoundError("app", app.Slug)
		}
		if err != nil {
			return fmt.Errorf("put member: %w", err)
		}
		m = picloud.Member{Principal: p.Name, Kind: p.Kind, Role: role, CreatedAt: put.CreatedAt.UTC()}
		return audit(ctx, q, "member", p.Name, roleView(before), roleView(string(role)))
	})
	return m, s.audited(ctx, err)
}

// DeleteMember implements picloud.Principals.
func (s *Store) DeleteMember(ctx context.Context, app picloud.App, principal string) error {
	err := s.inTx(ctx, func(q *sqlc.Queries) error {
		row, err := q.PrincipalLock(ctx, principal)
		p, err := onePrincipal(row, err, principal)
		if err != nil {
			return err
		}
		before, err := q.MemberGet(ctx, app.ID, p.ID)
		if isMissing(err) {
			return picloud.NotFoundError("member", principal)
		}
		if err == nil {
			_, err = q.MemberDelete(ctx, app.ID, p.ID)
		}
		if err != nil {
			return fmt.Errorf("delete member: %w", err)
		}
		return audit(ctx, q, "member", p.Name, roleView(before), nil)
	})
	return s.audited(ctx, err)
}

// ListMembers implements picloud.Principals.
func (s *Store) ListMembers(ctx context.Context, app picloud.App, page picloud.Page) (picloud.List[picloud.Member], error) {
	rows, err := s.queries.MemberList(ctx, app.ID, page.Cursor, size(page))
	if err != nil {
		return picloud.List[picloud.Member]{}, fmt.Errorf("list members: %w", err)
	}
	items := convert(rows, func(r sqlc.MemberListRow) picloud.Member {
		return picloud.Member{Principal: r.Name, Kind: picloud.PrincipalKind(r.Kind), Role: picloud.Role(r.Role), CreatedAt: r.CreatedAt.UTC()}
	})
	return cut(items, bounded(page), func(m picloud.Member) string { return m.Principal }), nil
}

func toPrincipal(r sqlc.Principal) picloud.Principal {
	return picloud.Principal{
		ID: r.ID, Kind: picloud.PrincipalKind(r.Kind), Name: r.Name, Email: value(r.Email), InstanceAdmin: r.InstanceAdmin, Disabled: r.Disabled,
		HasPassword: r.PasswordHash != nil, CreatedAt: r.CreatedAt.UTC(),
	}
}

// principalView is a principal as the audit log shows it.
func principalView(p picloud.Principal) map[string]any {
	return map[string]any{"kind": p.Kind, "email": p.Email, "instance_admin": p.InstanceAdmin, "disabled": p.Disabled, "has_password": p.HasPassword}
}

// roleView is a role as the audit log shows it; nil for none.
func roleView(role string) any {
	if role == "" {
		return nil
	}
	return map[string]any{"role": role}
}
