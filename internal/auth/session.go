package auth

import (
	"context"
	"crypto/sha256"
	"net/http"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/picloud/picloud/internal/picloud"
)

// SessionCookie is the name of the cookie that holds a session's token.
const SessionCookie = "picloud_session"

// SessionLifetime is how long a session lasts.
const SessionLifetime = 12 * time.Hour

// nobodysHash is compared where there is no hash, so that a name that is not there takes as long as a wrong password. No password has it.
const nobodysHash = "$argon2id$v=19$m=65536,t=1,p=2$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// SignIn gives the person with that name and password. Unauthenticated "wrong_credentials" for every reason that it cannot.
func SignIn(ctx context.Context, sessions picloud.Sessions, name, password string) (picloud.Principal, error) {
	wrong := picloud.Errorf(picloud.Unauthenticated, "wrong_credentials", "name or password are wrong")
	if len(password) > MaxPassword {
		return picloud.Principal{}, wrong
	}
	p, hash, err := sessions.PasswordHash(ctx, name)
	if err != nil && picloud.AsError(err) == nil {
		return p, err
	}
	missing := err != nil || hash == "" || p.Disabled || p.Kind != picloud.Person
	if hash == "" {
		hash = nobodysHash
	}
	match := false
	if err := oneOfFew(ctx, func() (err error) {
		match, err = argon2id.ComparePasswordAndHash(password, hash)
		return err
	}); err != nil {
		return p, err
	}
	if missing || !match {
		return picloud.Principal{}, wrong
	}
	return p, nil
}

// NewSession begins a session of p and gives its token. One that a key began (nil = none) has the key's rights, and ends with it.
func NewSession(ctx context.Context, sessions picloud.Sessions, p picloud.Principal, key *picloud.APIKey) (string, error) {
	token, expires, keyID := newSecret(), time.Now().Add(SessionLifetime), ""
	if key != nil {
		keyID = key.ID
		if !key.ExpiresAt.IsZero() && key.ExpiresAt.Before(expires) {
			expires = key.ExpiresAt
		}
	}
	return token, sessions.CreateSession(ctx, p.ID, keyID, Digest(token), expires)
}

// Cookie gives the cookie of a token; with "" the one that takes it away.
func Cookie(token string, secure bool) *http.Cookie {
	c := &http.Cookie{ //nolint:gosec // Secure where the connection is
		Name: SessionCookie, Value: token, Path: "/", HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode, MaxAge: int(SessionLifetime.Seconds()),
	}
	if token == "" {
		c.MaxAge = -1
	}
	return c
}

// Session gives the caller whose session it is. Unauthenticated "unauthenticated" when there is none (any more), or "principal_disabled".
func (a *Authenticator) Session(ctx context.Context, sessions picloud.Sessions, token string) (Caller, error) {
	digest := sha256.Sum256([]byte(token))
	caller, ok, err := a.find(ctx, digest, func() ([]picloud.Credential, error) { return sessions.SessionCredentials(ctx, digest[:]) })
	if err != nil {
		return Caller{}, err
	}
	if !ok {
		return Caller{}, ErrNoKey()
	}
	return caller, a.usable(caller)
}
