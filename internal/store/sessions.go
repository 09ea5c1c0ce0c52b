package store

import (
	"context"
	"fmt"
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// PasswordHash implements picloud.Sessions.
func (s *Store) PasswordHash(ctx context.Context, name string) (picloud.Principal, string, error) {
	row, err := s.queries.PrincipalGet(ctx, name)
	p, err := onePrincipal(row, err, name)
	return p, value(row.PasswordHash), err
}

// PersonByEmail implements picloud.Sessions.
func (s *Store) PersonByEmail(ctx context.Context, email string) (picloud.Principal, error) {
	row, err := s.queries.PrincipalPersonByEmail(ctx, email)
	return onePrincipal(row, err, email)
}

// CreateSession implements picloud.Sessions.
func (s *Store) CreateSession(ctx context.Context, principalID, keyID string, digest []byte, expiresAt time.Time) error {
	if err := s.queries.SessionInsert(ctx, digest, principalID, optional(keyID), expiresAt); err != nil {
		return fmt.Errorf("insert session: %w", err)
	}
	return nil
}

// DeleteSession implements picloud.Sessions.
func (s *Store) DeleteSession(ctx context.Context, digest []byte) error {
	if err := s.queries.SessionDelete(ctx, digest); err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	return nil
}

// SessionCredentials implements picloud.Sessions.
func (s *Store) SessionCredentials(ctx context.Context, digest []byte) ([]picloud.Credential, error) {
	rows, err := s.queries.SessionCredentials(ctx, digest)
	if err != nil {
		return nil, fmt.Errorf("find session: %w", err)
	}
	return convert(rows, func(r sqlc.SessionCredentialsRow) picloud.Credential {
		var key *picloud.APIKey
		if r.KeyID != nil {
			k := toAPIKey(sqlc.APIKeyListRow{
				ID: *r.KeyID, Prefix: value(r.Prefix), Scopes: r.Scopes, CreatedAt: value(r.KeyCreatedAt), ExpiresAt: r.KeyExpiresAt, LastUsedAt: r.LastUsedAt, Principal: r.Name, App: r.KeyApp,
			})
			key = &k
		}
		return picloud.Credential{
			Digest: r.Digest, Key: key, ExpiresAt: r.ExpiresAt.UTC(), Memberships: memberships(r.Apps, r.Roles),
			Principal: picloud.Principal{ID: r.PrincipalID, Kind: picloud.PrincipalKind(r.Kind), Name: r.Name, InstanceAdmin: r.InstanceAdmin, Disabled: r.Disabled},
		}
	}), nil
}
