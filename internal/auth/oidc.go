package auth

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/picloud/picloud/internal/picloud"
)

// OIDCLifetime is how long a person may take at the provider.
const OIDCLifetime = 10 * time.Minute

// oidcTimeout is for one request to the provider.
const oidcTimeout = 10 * time.Second

// OIDCOptions say who vouches for persons. All are required.
type OIDCOptions struct {
	Issuer       string // URL; its /.well-known/openid-configuration says the rest
	ClientID     string
	ClientSecret string
}

// OIDC has persons vouched for by an OpenID Connect provider: authorization code flow with PKCE, state and nonce (OpenID Connect Core 1.0, section 3.1; RFC 7636).
// It is safe for concurrent use.
type OIDC struct {
	options OIDCOptions
	client  *http.Client
	seal    cipher.AEAD // of the cookie; every process with the same secret has the same

	mutex    sync.Mutex
	provider *oidc.Provider // nil until it has answered once
}

// NewOIDC asks the provider nothing yet: one that is down holds up sign-ins, no start.
func NewOIDC(o OIDCOptions) (*OIDC, error) {
	key, err := hkdf.Key(sha256.New, []byte(o.ClientSecret), nil, "picloud oidc cookie", 32)
	if err != nil {
		return nil, fmt.Errorf("derive key of oidc cookie: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make cipher of oidc cookie: %w", err)
	}
	seal, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("make cipher of oidc cookie: %w", err)
	}
	return &OIDC{options: o, client: &http.Client{Timeout: oidcTimeout}, seal: seal}, nil
}

// Name is what a person knows the provider by: its host.
func (o *OIDC) Name() string {
	u, err := url.Parse(o.options.Issuer)
	if err != nil || u.Host == "" {
		return o.options.Issuer
	}
	return u.Host
}

// journey is what the cookie holds, sealed.
type journey struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	Redirect string    `json:"redirect"`
	Next     string    `json:"next"`
	Until    time.Time `json:"until"`
}

// Begin gives the provider's address that a browser is to be sent to, and the value of OIDCCookie to send along. The provider sends the browser to redirect, which must be
// registered there; next is kept for Finish. Unavailable "oidc_unavailable" while the provider does not answer.
func (o *OIDC) Begin(ctx context.Context, redirect, next string) (address, cookie string, err error) {
	provider, err := o.discover(ctx)
	if err != nil {
		return "", "", err
	}
	j := journey{State: newSecret(), Nonce: newSecret(), Verifier: oauth2.GenerateVerifier(), Redirect: redirect, Next: next, Until: time.Now().Add(OIDCLifetime)}
	plain, err := json.Marshal(j)
	if err != nil {
		return "", "", fmt.Errorf("encode oidc cookie: %w", err)
	}
	address = o.config(provider, redirect).AuthCodeURL(j.State, oidc.Nonce(j.Nonce), oauth2.S256ChallengeOption(j.Verifier))
	return address, base64.RawURLEncoding.EncodeToString(o.seal.Seal(nil, nil, plain, nil)), nil //nolint:gosec // it makes a nonce of its own for each
}

// Finish takes what the provider has sent the browser back with, and the cookie of Begin, and gives the e-mail address that the provider vouches for, in lower case, and Begin's next.
// Forbidden "oidc_state" where the two do not belong together or took too long, "oidc_refused" where the provider says no, "oidc_token" where what it says cannot be believed,
// "oidc_email" without a verified address; Unavailable "oidc_unavailable" while it does not answer.
func (o *OIDC) Finish(ctx context.Context, cookie string, query url.Values) (email, next string, err error) {
	j, ok := o.open(cookie)
	if !ok || subtle.ConstantTimeCompare([]byte(j.State), []byte(query.Get("state"))) != 1 || !time.Now().Before(j.Until) {
		return "", "", picloud.Errorf(picloud.Forbidden, "oidc_state", "this sign-in was begun elsewhere, or too long ago: begin anew")
	}
	if reason := query.Get("error"); reason != "" {
		return "", "", picloud.Errorf(picloud.Forbidden, "oidc_refused", "the sign-in provider says %q", reason[:min(len(reason), 100)])
	}
	provider, err := o.discover(ctx)
	if err != nil {
		return "", "", err
	}
	ctx = oidc.ClientContext(ctx, o.client)
	token, err := o.config(provider, j.Redirect).Exchange(ctx, query.Get("code"), oauth2.VerifierOption(j.Verifier))
	if refused := (*oauth2.RetrieveError)(nil); errors.As(err, &refused) && refused.Response.StatusCode < http.StatusInternalServerError {
		return "", "", untrusted(fmt.Errorf("the code is refused: %s", refused.ErrorCode))
	}
	if err != nil {
		return "", "", unavailable(err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: o.options.ClientID}).Verify(ctx, raw)
	if err != nil {
		return "", "", untrusted(err)
	}
	email, err = vouched(id, j.Nonce, o.options.ClientID)
	return email, j.Next, err
}

// vouched gives the address of an ID token whose signature, issuer, audience and expiry are right.
func vouched(id *oidc.IDToken, nonce, clientID string) (string, error) {
	var claims struct {
		Email      string `json:"email"`
		Verified   bool   `json:"email_verified"`
		Authorized string `json:"azp"`
	}
	if err := id.Claims(&claims); err != nil {
		return "", untrusted(err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 {
		return "", untrusted(errors.New("it is of another sign-in"))
	}
	if len(id.Audience) > 1 && claims.Authorized != clientID { // OpenID Connect Core 1.0, section 3.1.3.7
		return "", untrusted(errors.New("it was made for another client"))
	}
	if claims.Email == "" || !claims.Verified {
		return "", picloud.Errorf(picloud.Forbidden, "oidc_email", "the sign-in provider names no verified e-mail address")
	}
	return strings.ToLower(claims.Email), nil
}

func (o *OIDC) open(cookie string) (j journey, ok bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(cookie)
	if err != nil {
		return j, false
	}
	plain, err := o.seal.Open(nil, nil, sealed, nil)
	return j, err == nil && json.Unmarshal(plain, &j) == nil
}

func (o *OIDC) config(provider *oidc.Provider, redirect string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: o.options.ClientID, ClientSecret: o.options.ClientSecret, RedirectURL: redirect, Endpoint: provider.Endpoint(), Scopes: []string{oidc.ScopeOpenID, "email"},
	}
}

// discover asks the provider for its addresses and keys; once it has answered they are kept.
func (o *OIDC) discover(ctx context.Context) (*oidc.Provider, error) {
	o.mutex.Lock()
	provider := o.provider
	o.mutex.Unlock()
	if provider != nil {
		return provider, nil
	}
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, o.client), o.options.Issuer)
	if err != nil {
		return nil, unavailable(err)
	}
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.provider = provider
	return provider, nil
}

func unavailable(err error) error {
	return &picloud.Error{Kind: picloud.Unavailable, Code: "oidc_unavailable", Message: "the sign-in provider does not answer: try again later", Cause: err}
}

func untrusted(err error) error {
	return &picloud.Error{Kind: picloud.Forbidden, Code: "oidc_token", Message: "what the sign-in provider says cannot be believed", Cause: err}
}
