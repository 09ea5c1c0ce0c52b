package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"sync"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// CacheTTL is how long a key's rights are taken from memory: as long may a change that another process makes need until it holds in this one. Changes of this process hold at once.
const CacheTTL = 5 * time.Second

// maxCached bounds the number of keys and tokens in memory; beyond it all are read anew.
const maxCached = 10_000

// Authenticator knows who a key belongs to. It is safe for concurrent use.
type Authenticator struct {
	credentials picloud.Credentials
	now         func() time.Time

	mutex      sync.Mutex
	cache      map[[sha256.Size]byte]cached
	generation int // counts the calls of Forget: what was read before one of them is not kept
}

type cached struct {
	credential picloud.Credential
	caller     Caller
	until      time.Time
}

// New makes an Authenticator that asks credentials.
func New(credentials picloud.Credentials) *Authenticator {
	return &Authenticator{credentials: credentials, now: time.Now, cache: map[[sha256.Size]byte]cached{}}
}

// Key gives the caller whose key it is. Unauthenticated "unauthenticated" without a key, "wrong_key", "expired_key", or "principal_disabled".
// Digests are compared, in constant time, so that neither the length nor a prefix of the key shows.
func (a *Authenticator) Key(ctx context.Context, key string) (Caller, error) {
	if key == "" {
		return Caller{}, ErrNoKey()
	}
	digest := sha256.Sum256([]byte(key))
	caller, ok, err := a.find(ctx, digest, func() ([]picloud.Credential, error) {
		return a.credentials.KeyCredentials(ctx, KeyPart(key))
	})
	if err != nil {
		return Caller{}, err
	}
	if !ok {
		return Caller{}, picloud.Errorf(picloud.Unauthenticated, "wrong_key", "the key is not known")
	}
	return caller, a.usable(caller)
}

// ErrNoKey is the error of a call without any key.
func ErrNoKey() error {
	return picloud.Errorf(picloud.Unauthenticated, "unauthenticated", "a key is needed: Authorization: Bearer <api key>")
}

// usable says whether a caller that is known may still call.
func (a *Authenticator) usable(c Caller) error {
	switch {
	case c.Key != nil && !c.Key.ExpiresAt.IsZero() && !a.now().Before(c.Key.ExpiresAt):
		return picloud.Errorf(picloud.Unauthenticated, "expired_key", "the key expired at %s", c.Key.ExpiresAt.UTC().Format(time.RFC3339))
	case !c.Expires.IsZero() && !a.now().Before(c.Expires):
		return ErrNoKey()
	case c.Principal.Disabled:
		return picloud.Errorf(picloud.Unauthenticated, "principal_disabled", "the principal %q is disabled", c.Principal.Name)
	}
	return nil
}

// find gives the caller of a digest: from memory, or by reading the candidates and comparing theirs.
func (a *Authenticator) find(ctx context.Context, digest [sha256.Size]byte, read func() ([]picloud.Credential, error)) (Caller, bool, error) {
	a.mutex.Lock()
	hit, ok := a.cache[digest]
	generation := a.generation
	a.mutex.Unlock()
	if ok && a.now().Before(hit.until) {
		return hit.caller, true, nil
	}
	candidates, err := read()
	if err != nil {
		return Caller{}, false, err
	}
	var found *picloud.Credential
	for i := range candidates {
		if subtle.ConstantTimeCompare(digest[:], candidates[i].Digest) == 1 {
			found = &candidates[i]
		}
	}
	if found == nil {
		return Caller{}, false, nil
	}
	caller := Caller{Principal: found.Principal, Key: found.Key, Expires: found.ExpiresAt, roles: make(map[string]picloud.Role, len(found.Memberships))}
	for _, m := range found.Memberships {
		caller.roles[m.App] = m.Role
	}
	a.keep(digest, cached{*found, caller, a.now().Add(CacheTTL)}, generation)
	if k := found.Key; k != nil && a.usable(caller) == nil && a.now().Sub(k.LastUsedAt) > time.Minute {
		if err := a.credentials.TouchAPIKey(ctx, k.ID); err != nil {
			return Caller{}, false, err
		}
	}
	return caller, true, nil
}

func (a *Authenticator) keep(digest [sha256.Size]byte, c cached, generation int) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if generation != a.generation {
		return
	}
	if len(a.cache) >= maxCached {
		clear(a.cache)
	}
	a.cache[digest] = c
}

// Forget drops everything from memory: call it after every change of keys, principals, members and apps.
func (a *Authenticator) Forget() {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.generation++
	clear(a.cache)
}
