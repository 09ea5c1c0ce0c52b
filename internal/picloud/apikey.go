package picloud

import (
	"context"
	"time"
)

// APIKey is a key as it is shown: never with what is secret of it.
type APIKey struct {
	ID         string
	Principal  string // name
	Prefix     string // the key's open part, e.g. "pck_4mq7kq2w5c3na"
	App        string // slug of the only app that it is good for; "" = all that the principal has
	Scopes     Scopes
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero = never
	LastUsedAt time.Time // to the minute; zero = never
}

// NewAPIKey is a key to be stored.
type NewAPIKey struct {
	Principal string // id or name
	Prefix    string
	Digest    []byte // SHA-256 of the whole key: it has 256 random bits, so that no slow hash is needed
	App       string // slug; "" = all
	Scopes    Scopes
	ExpiresAt time.Time // zero = never
}

// Credential is what a key or a session's token proves, as far as the store knows it.
type Credential struct {
	Digest      []byte // of the whole key or token
	Principal   Principal
	Memberships []Membership
	Key         *APIKey   // nil: a session that a password or a provider began
	ExpiresAt   time.Time // zero = never
}

// APIKeys keeps the keys.
type APIKeys interface {
	// CreateAPIKey stores a key. NotFound "principal_not_found"; Invalid on "app" if there is no such app.
	CreateAPIKey(ctx context.Context, k NewAPIKey) (APIKey, error)
	// APIKey gives one key. NotFound "api_key_not_found".
	APIKey(ctx context.Context, id string) (APIKey, error)
	// ListAPIKeys gives the keys of a principal (id or name), or of all ("").
	ListAPIKeys(ctx context.Context, principal string, page Page) (List[APIKey], error)
	// DeleteAPIKey ends a key at once. NotFound "api_key_not_found"; Conflict "bootstrap_key" for the key of the configuration.
	DeleteAPIKey(ctx context.Context, id string) error
	// PutBootstrapKey makes digest that of the one bootstrap key, which is the admin's. The key that was it before is none any more.
	PutBootstrapKey(ctx context.Context, digest []byte) error
}

// Credentials finds who a key or a token belongs to.
type Credentials interface {
	// KeyCredentials gives the keys that may be the one with that prefix: at most two, the bootstrap key among them. Their digests are still to be compared.
	KeyCredentials(ctx context.Context, prefix string) ([]Credential, error)
	// TouchAPIKey notes that a key was used, at most once a minute.
	TouchAPIKey(ctx context.Context, id string) error
}
