// Package auth says who a caller is. For now there is one principal, the admin, known by one bootstrap key.
package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/picloud/picloud/internal/picloud"
)

// Principal is who calls.
type Principal struct {
	Name string
}

// Authenticator knows the keys.
type Authenticator struct {
	admin [sha256.Size]byte
	open  bool // false when there is no admin key: then no key is right
}

// New makes the Authenticator that knows the admin's key. With an empty key nobody is let in.
func New(adminKey string) *Authenticator {
	return &Authenticator{admin: sha256.Sum256([]byte(adminKey)), open: adminKey != ""}
}

// Authenticate gives the principal of a key: Unauthenticated "unauthenticated" without a key, Unauthenticated "wrong_key" with a wrong one.
// Digests are compared, in constant time, so that neither the length nor a prefix of the key shows.
func (a *Authenticator) Authenticate(key string) (Principal, error) {
	if key == "" {
		return Principal{}, picloud.Errorf(picloud.Unauthenticated, "unauthenticated", "a key is needed: Authorization: Bearer <api key>")
	}
	sum := sha256.Sum256([]byte(key))
	if subtle.ConstantTimeCompare(sum[:], a.admin[:]) != 1 || !a.open {
		return Principal{}, picloud.Errorf(picloud.Unauthenticated, "wrong_key", "the key is not known")
	}
	return Principal{Name: "admin"}, nil
}

// BearerKey gives the key of "Authorization: Bearer <key>"; "" if there is none. Source: RFC 6750, section 2.1.
func BearerKey(r *http.Request) string {
	scheme, key, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(key)
}

// BrowserKey gives the key of a bearer or of HTTP Basic, where it is the password and the user name does not matter; "" if there is none.
func BrowserKey(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	return BearerKey(r)
}

type principalKey struct{}

// WithPrincipal gives a context that carries p.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom gives the principal that ctx carries; the zero Principal if none.
func PrincipalFrom(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}
