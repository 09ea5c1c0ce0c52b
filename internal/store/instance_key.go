package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// The text whose sealed form in the database proves a key; what it is bound to is no app and no name.
const (
	proofText = "picloud"
	proofApp  = ""
	proofName = "instance-key"
)

// HasInstanceKey reports whether the database has been used with an instance's key.
func (s *Store) HasInstanceKey(ctx context.Context) (bool, error) {
	_, err := s.queries.InstanceKeyGet(ctx)
	if isMissing(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("get instance key: %w", err)
	}
	return true, nil
}

// AdoptInstanceKey takes the Sealer's key as the one that seals from now on. ErrWrongKey when the database was used with another key, which the Sealer does
// not have.
func (s *Store) AdoptInstanceKey(ctx context.Context) error {
	sealer := s.options.Sealer
	proof, err := sealer.Seal(proofApp, proofName, []byte(proofText))
	if err != nil {
		return err //nolint:wrapcheck // of the house
	}
	if _, err := s.queries.InstanceKeyInsert(ctx, int64(sealer.KeyID()), proof); err != nil {
		return fmt.Errorf("insert instance key: %w", err)
	}
	row, err := s.queries.InstanceKeyGet(ctx)
	if err != nil {
		return fmt.Errorf("get instance key: %w", err)
	}
	text, err := sealer.Open(proofApp, proofName, row.Proof)
	if err != nil || string(text) != proofText {
		return errors.Join(picloud.ErrWrongKey, err)
	}
	if row.KeyID == int64(sealer.KeyID()) {
		return nil
	}
	if _, err := s.queries.InstanceKeyReplace(ctx, int64(sealer.KeyID()), proof, row.KeyID); err != nil {
		return fmt.Errorf("replace instance key: %w", err)
	}
	return nil
}

// ResealSecrets seals up to limit secrets with the Sealer's present key that others sealed, in one transaction, and gives their number: 0 = none is left.
func (s *Store) ResealSecrets(ctx context.Context, limit int) (done int, err error) {
	sealer := s.options.Sealer
	key := int64(sealer.KeyID())
	err = s.inTx(ctx, func(q *sqlc.Queries) error {
		now, err := q.InstanceKeyHold(ctx)
		if err != nil {
			return fmt.Errorf("get instance key: %w", err)
		}
		if now != key {
			return errStaleKey
		}
		rows, err := q.SecretSealedByOthers(ctx, key, int32(min(limit, picloud.MaxPageLimit)))
		if err != nil {
			return fmt.Errorf("list secrets of other keys: %w", err)
		}
		done = len(rows)
		for _, r := range rows {
			value, err := sealer.Open(r.AppID, r.Name, r.Sealed)
			if err != nil {
				return fmt.Errorf("open secret %s: %w", r.Name, err)
			}
			sealed, err := sealer.Seal(r.AppID, r.Name, value)
			if err != nil {
				return err //nolint:wrapcheck // of the house
			}
			if err := q.SecretReseal(ctx, sealed, key, r.AppID, r.Name); err != nil {
				return fmt.Errorf("update secret: %w", err)
			}
		}
		return nil
	})
	return done, err
}

// RotateInstanceKey runs rotate while no other process does. Conflict "rotation_runs" when one does.
func (s *Store) RotateInstanceKey(ctx context.Context, rotate func() error) error {
	connection, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect to database: %w", err)
	}
	defer connection.Release()
	q := sqlc.New(connection)
	locked, err := q.InstanceKeyLock(ctx)
	if err != nil {
		return fmt.Errorf("lock instance key: %w", err)
	}
	if !locked {
		return picloud.Errorf(picloud.Conflict, "rotation_runs", "another process rotates the instance's key")
	}
	defer func() { _ = q.InstanceKeyUnlock(context.WithoutCancel(ctx)) }() // else the end of the connection does
	return rotate()
}
