// Package oidctest is a small OpenID Connect provider for tests: discovery, keys, and a token endpoint that checks the client, the code and PKCE.
package oidctest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The client that the provider knows.
const (
	ClientID     = "picloud"
	ClientSecret = "s3cret of the client"
)

// Provider is the provider. Its methods are safe for concurrent use.
type Provider struct {
	URL string // the issuer

	t      testing.TB
	key    *rsa.PrivateKey
	signer jose.Signer
	mutex  sync.Mutex
	codes  map[string]grant
}

// grant is what a code stands for.
type grant struct {
	challenge, redirect string
	claims              map[string]any
}

// New starts a provider that ends with the test.
func New(tb testing.TB) *Provider {
	tb.Helper()
	p := &Provider{t: tb, codes: map[string]grant{}}
	p.key, p.signer = newKey(tb)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("POST /token", p.token)
	server := httptest.NewServer(mux)
	tb.Cleanup(server.Close)
	p.URL = server.URL
	return p
}

func newKey(tb testing.TB) (*rsa.PrivateKey, jose.Signer) {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(tb, err)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "1"))
	require.NoError(tb, err)
	return key, signer
}

// ForgeSignatures makes the provider's tokens those of somebody who does not have its key.
func (p *Provider) ForgeSignatures() { _, p.signer = newKey(p.t) }

// Authorize is a person who agrees: it takes the address that a browser was sent to, and gives the one that the provider sends it back to. change edits the ID token's claims,
// which are right by themselves.
func (p *Provider) Authorize(address, email string, change func(claims map[string]any)) (back *url.URL) {
	p.t.Helper()
	at, err := url.Parse(address)
	require.NoError(p.t, err)
	q := at.Query()
	require.Equal(p.t, p.URL+"/authorize", at.Scheme+"://"+at.Host+at.Path)
	require.Equal(p.t, []string{"code", ClientID, "openid email", "S256"}, []string{q.Get("response_type"), q.Get("client_id"), q.Get("scope"), q.Get("code_challenge_method")})
	require.NotEmpty(p.t, q.Get("state"))
	require.NotEmpty(p.t, q.Get("nonce"))
	claims := map[string]any{
		"iss": p.URL, "aud": ClientID, "sub": "1", "exp": time.Now().Add(time.Minute).Unix(), "iat": time.Now().Unix(), "nonce": q.Get("nonce"),
		"email": email, "email_verified": true,
	}
	if change != nil {
		change(claims)
	}
	code := rand.Text()
	p.mutex.Lock()
	p.codes[code] = grant{challenge: q.Get("code_challenge"), redirect: q.Get("redirect_uri"), claims: claims}
	p.mutex.Unlock()
	back, err = url.Parse(q.Get("redirect_uri"))
	require.NoError(p.t, err)
	back.RawQuery = url.Values{"code": {code}, "state": {q.Get("state")}}.Encode()
	return back
}

func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	p.answer(w, http.StatusOK, map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"RS256"}, "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
	})
}

func (p *Provider) keys(w http.ResponseWriter, _ *http.Request) {
	p.answer(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: "1", Algorithm: "RS256", Use: "sig"}}})
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	id, _ = url.QueryUnescape(id)
	secret, _ = url.QueryUnescape(secret)
	p.mutex.Lock()
	g, known := p.codes[r.FormValue("code")]
	delete(p.codes, r.FormValue("code")) // a code is good once
	p.mutex.Unlock()
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	switch {
	case id != ClientID || secret != ClientSecret:
		p.answer(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
	case !known || g.redirect != r.FormValue("redirect_uri") || g.challenge != base64.RawURLEncoding.EncodeToString(sum[:]):
		p.answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
	default:
		token, err := jwt.Signed(p.signer).Claims(g.claims).Serialize()
		assert.NoError(p.t, err)
		p.answer(w, http.StatusOK, map[string]any{"access_token": "opaque", "token_type": "Bearer", "expires_in": 60, "id_token": token})
	}
}

func (p *Provider) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	assert.NoError(p.t, json.NewEncoder(w).Encode(body))
}
