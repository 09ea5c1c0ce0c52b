package auth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/picloud/picloud/internal/picloud"
)

// The cookies: SessionCookie holds a session's token, OIDCCookie what a browser brings back from the provider. [CookieName] gives their names on a connection.
const (
	SessionCookie = "picloud_session"
	OIDCCookie    = "picloud_oidc"
)

// hostPrefix begins the name of a cookie that browsers take from this very host only, and over TLS only, so that no other host of the domain can set it: RFC 6265bis, section 4.1.3.2.
const hostPrefix = "__Host-"

// CookieName gives the name of a cookie on a connection that is encrypted, or not.
func CookieName(cookie string, secure bool) string {
	if secure {
		return hostPrefix + cookie
	}
	return cookie
}

// IsCookie says whether that is the name of one of the cookies.
func IsCookie(name string) bool {
	name = strings.TrimPrefix(name, hostPrefix)
	return name == SessionCookie || name == OIDCCookie
}

// SessionLifetime is how long a session lasts.
const SessionLifetime = 12 * time.Hour

// nobodysHash is compared where there is no hash, so that a name that is not there takes as long as a wrong password. No password has it.
var nobodysHash = fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	hashParams.Memory, hashParams.Iterations, hashParams.Parallelism)

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
		Name: CookieName(SessionCookie, secure), Value: token, Path: "/", HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode, MaxAge: int(SessionLifetime.Seconds()),
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
