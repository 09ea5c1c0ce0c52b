package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// errStaleKey says that another process has rotated the instance's key.
var errStaleKey = errors.New("the instance's key was rotated")

// sealTries bounds how often a value is sealed anew because the key was rotated meanwhile.
const sealTries = 3

// PutSecret implements picloud.Secrets.
func (s *Store) PutSecret(ctx context.Context, appID, name, value string) (created bool, err error) {
	for range sealTries {
		created, err = s.putSecret(ctx, appID, name, value)
		if !errors.Is(err, errStaleKey) {
			return created, err
		}
		if err := s.options.Sealer.Reload(); err != nil {
			return false, fmt.Errorf("put secret: %w", err)
		}
	}
	return false, fmt.Errorf("put secret: %w", picloud.ErrWrongKey)
}

func (s *Store) putSecret(ctx context.Context, appID, name, value string) (created bool, err error) {
	key := s.options.Sealer.KeyID()
	sealed, err := s.options.Sealer.Seal(appID, name, []byte(value))
	if err != nil {
		return false, err //nolint:wrapcheck // of the house
	}
	err = s.inTx(ctx, func(q *sqlc.Queries) error {
		now, err := q.InstanceKeyHold(ctx)
		if err != nil {
			return fmt.Errorf("get instance key: %w", err)
		}
		if now != int64(key) {
			return errStaleKey
		}
		count, err := q.SecretApp(ctx, appID)
		if isMissing(err) {
			return picloud.NotFoundError("app", appID)
		}
		if err != nil {
			return fmt.Errorf("lock app: %w", err)
		}
		updated, err := q.SecretUpdate(ctx, sealed, now, appID, name)
		if err == nil {
			return audit(ctx, q, "secret", name, secretView(name, updated.WasUpdatedAt), secretView(name, updated.UpdatedAt))
		}
		if !isMissing(err) {
			return fmt.Errorf("update secret: %w", err)
		}
		if count >= picloud.MaxSecrets {
			return picloud.Errorf(picloud.Conflict, "secrets_full", "the app has %d secrets, as many as it may have: delete one first", count)
		}
		created = true
		at, err := q.SecretInsert(ctx, appID, name, sealed, now)
		if err != nil {
			return fmt.Errorf("insert secret: %w", err)
		}
		return audit(ctx, q, "secret", name, nil, secretView(name, at))
	})
	return created, s.audited(ctx, err)
}

// secretView is what the audit log says of a secret: its name, and since when it has the value that it has.
func secretView(name string, updated time.Time) map[string]any {
	return map[string]any{"name": name, "updated_at": updated.UTC()}
}

// SecretValue implements picloud.SecretReader.
func (s *Store) SecretValue(ctx context.Context, appID, name string) (string, error) {
	sealed, err := s.queries.SecretGet(ctx, appID, name)
	if isMissing(err) {
		return "", picloud.NotFoundError("secret", name)
	}
	if err != nil {
		return "", fmt.Errorf("get secret: %w", err)
	}
	value, err := s.options.Sealer.Open(appID, name, sealed)
	if err != nil {
		return "", fmt.Errorf("get secret %s: %w", name, err)
	}
	return string(value), nil
}

// ListSecrets implements picloud.Secrets.
func (s *Store) ListSecrets(ctx context.Context, appID string, page picloud.Page) (picloud.List[picloud.Secret], error) {
	rows, err := s.queries.SecretList(ctx, appID, page.Cursor, size(page))
	if err != nil {
		return picloud.List[picloud.Secret]{}, fmt.Errorf("list secrets: %w", err)
	}
	items := make([]picloud.Secret, len(rows))
	for i, r := range rows {
		items[i] = picloud.Secret{Name: r.Name, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC()}
	}
	return cut(items, bounded(page), func(x picloud.Secret) string { return x.Name }), nil
}

// DeleteSecret implements picloud.Secrets.
func (s *Store) DeleteSecret(ctx context.Context, appID, name string) error {
	err := s.inTx(ctx, func(q *sqlc.Queries) error {
		n, err := q.SecretDelete(ctx, appID, name)
		if err != nil {
			return fmt.Errorf("delete secret: %w", err)
		}
		if n == 0 {
			return picloud.NotFoundError("secret", name)
		}
		return audit(ctx, q, "secret", name, map[string]any{"name": name}, nil)
	})
	return s.audited(ctx, err)
}
