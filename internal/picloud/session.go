package picloud

import (
	"context"
	"time"
)

// Sessions keeps who has signed in.
type Sessions interface {
	// PasswordHash gives a person and the hash of its password ("" = it has none). NotFound "principal_not_found".
	PasswordHash(ctx context.Context, name string) (Principal, string, error)
	// PersonByEmail gives the person with that address, in lower case. NotFound "principal_not_found".
	PersonByEmail(ctx context.Context, email string) (Principal, error)
	// CreateSession keeps a session by the SHA-256 of its token. One that an API key began (keyID, "" = none) has the key's rights, and ends with it.
	CreateSession(ctx context.Context, principalID, keyID string, digest []byte, expiresAt time.Time) error
	// DeleteSession ends one, if it is there.
	DeleteSession(ctx context.Context, digest []byte) error
	// SessionCredentials gives the session with that digest, if it is not over.
	SessionCredentials(ctx context.Context, digest []byte) ([]Credential, error)
}
