package store

import (
	"bytes"
	"context"
	"fmt"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// bootstrapPrefix stands for the prefix of the key of the configuration, which may have any form.
const bootstrapPrefix = "bootstrap"

// CreateAPIKey implements picloud.APIKeys.
func (s *Store) CreateAPIKey(ctx context.Context, k picloud.NewAPIKey) (key picloud.APIKey, err error) {
	err = s.inTx(ctx, func(q *sqlc.Queries) error {
		row, err := q.PrincipalLock(ctx, k.Principal) // it is not deleted meanwhile
		p, err := onePrincipal(row, err, k.Principal)
		if err != nil {
			return err
		}
		var appID *string
		if k.App != "" {
			app, err := q.AppGet(ctx, k.App)
			if isMissing(err) {
				return picloud.InvalidField("app", "there is no app %q", k.App)
			}
			if err != nil {
				return fmt.Errorf("get app: %w", err)
			}
			appID = &app.ID
		}
		scopes := make([]string, len(k.Scopes))
		for i, x := range k.Scopes {
			scopes[i] = string(x)
		}
		inserted, err := q.APIKeyInsert(ctx, sqlc.APIKeyInsertParams{
			PrincipalID: p.ID, Prefix: k.Prefix, Digest: k.Digest, AppID: appID, Scopes: scopes, ExpiresAt: since(k.ExpiresAt),
		})
		if err != nil {
			return fmt.Errorf("insert api key: %w", err)
		}
		key = picloud.APIKey{
			ID: inserted.ID, Principal: p.Name, Prefix: k.Prefix, App: k.App, Scopes: k.Scopes, CreatedAt: inserted.CreatedAt.UTC(), ExpiresAt: k.ExpiresAt,
		}
		return audit(ctx, q, "api_key", key.ID, nil, keyView(key))
	})
	return key, s.audited(ctx, err)
}

// APIKey implements picloud.APIKeys.
func (s *Store) APIKey(ctx context.Context, id string) (picloud.APIKey, error) {
	return apiKey(ctx, s.queries, id)
}

func apiKey(ctx context.Context, q *sqlc.Queries, id string) (picloud.APIKey, error) {
	if !isID(id) {
		return picloud.APIKey{}, picloud.NotFoundError("api_key", id)
	}
	row, err := q.APIKeyGet(ctx, id)
	if isMissing(err) {
		return picloud.APIKey{}, picloud.NotFoundError("api_key", id)
	}
	if err != nil {
		return picloud.APIKey{}, fmt.Errorf("get api key: %w", err)
	}
	return toAPIKey(sqlc.APIKeyListRow(row)), nil
}

// ListAPIKeys implements picloud.APIKeys.
func (s *Store) ListAPIKeys(ctx context.Context, principal string, page picloud.Page) (picloud.List[picloud.APIKey], error) {
	var none picloud.List[picloud.APIKey]
	if err := checkCursor(page.Cursor); err != nil {
		return none, err
	}
	var of *string
	if principal != "" {
		p, err := s.Principal(ctx, principal)
		if err != nil {
			return none, err
		}
		of = &p.ID
	}
	rows, err := s.queries.APIKeyList(ctx, of, optional(page.Cursor), size(page))
	if err != nil {
		return none, fmt.Errorf("list api keys: %w", err)
	}
	return cut(convert(rows, toAPIKey), bounded(page), func(k picloud.APIKey) string { return k.ID }), nil
}

// DeleteAPIKey implements picloud.APIKeys.
func (s *Store) DeleteAPIKey(ctx context.Context, id string) error {
	err := s.inTx(ctx, func(q *sqlc.Queries) error {
		key, err := apiKey(ctx, q, id)
		if err != nil {
			return err
		}
		if key.Prefix == bootstrapPrefix {
			return picloud.Errorf(picloud.Conflict, "bootstrap_key", "the key of PICLOUD_ADMIN_KEY or of the file admin-key is replaced there, and a restart")
		}
		n, err := q.APIKeyDelete(ctx, id)
		if err != nil {
			return fmt.Errorf("delete api key: %w", err)
		}
		if n == 0 {
			return picloud.NotFoundError("api_key", id)
		}
		return audit(ctx, q, "api_key", id, keyView(key), nil)
	})
	return s.audited(ctx, err)
}

// PutBootstrapKey implements picloud.APIKeys.
func (s *Store) PutBootstrapKey(ctx context.Context, digest []byte) error {
	return s.inTx(ctx, func(q *sqlc.Queries) error {
		rows, err := q.APIKeyCredentials(ctx, bootstrapPrefix)
		if err == nil && len(rows) > 0 && bytes.Equal(rows[0].Digest, digest) {
			return nil
		}
		if err == nil {
			err = q.APIKeyPutBootstrap(ctx, digest)
		}
		if err != nil {
			return fmt.Errorf("put bootstrap key: %w", err)
		}
		e := picloud.AuditEntry{Action: "putBootstrapKey", Outcome: picloud.AuditDone}
		view := map[string]any{"principal": picloud.AdminPrincipal, "prefix": bootstrapPrefix}
		if len(rows) == 0 {
			return insertAudit(ctx, q, e.Of("api_key", bootstrapPrefix, nil, view))
		}
		return insertAudit(ctx, q, e.Of("api_key", bootstrapPrefix, view, view))
	})
}

// KeyCredentials implements picloud.Credentials.
func (s *Store) KeyCredentials(ctx context.Context, prefix string) ([]picloud.Credential, error) {
	rows, err := s.queries.APIKeyCredentials(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("find api key: %w", err)
	}
	return convert(rows, func(r sqlc.APIKeyCredentialsRow) picloud.Credential {
		key := toAPIKey(sqlc.APIKeyListRow{
			ID: r.ID, Prefix: r.Prefix, Scopes: r.Scopes, CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt, LastUsedAt: r.LastUsedAt, Principal: r.Name, App: r.App,
		})
		return picloud.Credential{
			Digest: r.Digest, Key: &key, ExpiresAt: key.ExpiresAt, Memberships: memberships(r.Apps, r.Roles),
			Principal: picloud.Principal{ID: r.PrincipalID, Kind: picloud.PrincipalKind(r.Kind), Name: r.Name, InstanceAdmin: r.InstanceAdmin, Disabled: r.Disabled},
		}
	}), nil
}

// TouchAPIKey implements picloud.Credentials.
func (s *Store) TouchAPIKey(ctx context.Context, id string) error {
	if err := s.queries.APIKeyTouch(ctx, id); err != nil {
		return fmt.Errorf("touch api key: %w", err)
	}
	return nil
}

// memberships joins parallel columns.
func memberships(apps, roles []string) []picloud.Membership {
	out := make([]picloud.Membership, len(apps))
	for i := range apps {
		out[i] = picloud.Membership{App: apps[i], Role: picloud.Role(roles[i])}
	}
	return out
}

func toAPIKey(r sqlc.APIKeyListRow) picloud.APIKey {
	scopes := make(picloud.Scopes, len(r.Scopes))
	for i, x := range r.Scopes {
		scopes[i] = picloud.Scope(x)
	}
	return picloud.APIKey{
		ID: r.ID, Principal: r.Principal, Prefix: r.Prefix, App: value(r.App), Scopes: scopes,
		CreatedAt: r.CreatedAt.UTC(), ExpiresAt: value(r.ExpiresAt).UTC(), LastUsedAt: value(r.LastUsedAt).UTC(),
	}
}

// keyView is a key as the audit log shows it.
func keyView(k picloud.APIKey) map[string]any {
	view := map[string]any{"principal": k.Principal, "prefix": k.Prefix, "app": k.App, "scopes": k.Scopes}
	if !k.ExpiresAt.IsZero() {
		view["expires_at"] = k.ExpiresAt
	}
	return view
}
