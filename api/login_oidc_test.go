package api

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/auth/oidctest"
	"github.com/picloud/picloud/internal/picloud"
)

const annsEmail = "ann@example.com"

func newOIDC(t testing.TB, issuer string) *auth.OIDC {
	t.Helper()
	o, err := auth.NewOIDC(auth.OIDCOptions{Issuer: issuer, ClientID: oidctest.ClientID, ClientSecret: oidctest.ClientSecret})
	require.NoError(t, err)
	return o
}

// oidcBrowser is a browser before the form of an instance that ann may sign in to.
func oidcBrowser(t *testing.T, issuer string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	b := &browser{newWorld(t, func(o *Options) { o.OIDC = newOIDC(t, issuer) }), jar}
	b.addPrincipal(picloud.Principal{Kind: picloud.Person, Name: "ann", Email: annsEmail})
	b.addPrincipal(picloud.Principal{Kind: picloud.Person, Name: "gone", Email: "gone@example.com", Disabled: true})
	b.addPrincipal(picloud.Principal{Kind: picloud.Service, Name: "ci", Email: "ci@example.com"})
	return b
}

// begin goes to the provider, and gives its address.
func (b *browser) begin(t *testing.T) string {
	t.Helper()
	rec := b.send(t, "GET", "/login/oidc?next=%2F%3Fa%3Db", "", "same-origin")
	require.Equal(t, http.StatusSeeOther, rec.Code, rec.Body)
	cookie := rec.Result().Cookies()[0]
	require.Equal(t, auth.OIDCCookie, cookie.Name)
	require.True(t, cookie.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	require.Equal(t, 600, cookie.MaxAge)
	return rec.Header().Get("Location")
}

// back comes back from the provider.
func (b *browser) back(t *testing.T, at *url.URL) *httptest.ResponseRecorder {
	t.Helper()
	require.Equal(t, "example.com/login/oidc/callback", at.Host+at.Path)
	return b.send(t, "GET", at.RequestURI(), "", "cross-site")
}

func TestSigningInAtTheProvider(t *testing.T) {
	t.Parallel()
	p := oidctest.New(t)
	b := oidcBrowser(t, p.URL)
	name := strings.TrimPrefix(p.URL, "http://")
	require.Contains(t, b.send(t, "GET", "/login?next=%2F%3Fa%3Db", "", "none").Body.String(), `<a href="/login/oidc?next=%2f%3fa%3db">Sign in with `+name+`</a>`)
	at := p.Authorize(b.begin(t), "Ann@Example.com", nil)
	rec := b.back(t, at)
	require.Equal(t, http.StatusSeeOther, rec.Code, rec.Body)
	require.Equal(t, "/?a=b", rec.Header().Get("Location"))
	require.Contains(t, b.send(t, "GET", "/v1/me", "", "same-origin").Body.String(), `"name":"ann"`)
	last := b.audited[len(b.audited)-1]
	require.Equal(t, []string{"createSession", "ann", "ann", "done", `{"means":"oidc"}`}, []string{last.Action, last.Principal, last.TargetID, string(last.Outcome), string(last.After)})

	rec = b.back(t, at)
	require.Equal(t, 403, rec.Code, "what came back is good once: the cookie is gone")
}

// What is not right signs nobody in, is said on the form, and is in the audit log.
func TestTheProviderIsNotBelievedBlindly(t *testing.T) {
	t.Parallel()
	set := func(name string, value any) func(map[string]any) {
		return func(claims map[string]any) { claims[name] = value }
	}
	for _, c := range []struct {
		name, email string
		claims      func(map[string]any)
		forged      bool
		back        func(q url.Values)
		code        string
	}{
		{name: "wrong nonce", claims: set("nonce", "another"), code: "oidc_token"},
		{name: "no nonce", claims: func(c map[string]any) { delete(c, "nonce") }, code: "oidc_token"},
		{name: "wrong audience", claims: set("aud", "another client"), code: "oidc_token"},
		{name: "several audiences, made for another", claims: set("aud", []string{"another", oidctest.ClientID}), code: "oidc_token"},
		{name: "wrong issuer", claims: set("iss", "https://evil.example"), code: "oidc_token"},
		{name: "expired", claims: set("exp", time.Now().Add(-time.Hour).Unix()), code: "oidc_token"},
		{name: "signed by another", forged: true, code: "oidc_token"},
		{name: "unverified e-mail", claims: set("email_verified", false), code: "oidc_email"},
		{name: "unverified by silence", claims: func(c map[string]any) { delete(c, "email_verified") }, code: "oidc_email"},
		{name: "no e-mail", claims: func(c map[string]any) { delete(c, "email") }, code: "oidc_email"},
		{name: "unknown e-mail", email: "eve@example.com", code: "oidc_unknown"},
		{name: "disabled person", email: "gone@example.com", code: "oidc_unknown"},
		{name: "a service", email: "ci@example.com", code: "oidc_unknown"},
		{name: "state mismatch", back: func(q url.Values) { q.Set("state", "another") }, code: "oidc_state"},
		{name: "no state", back: func(q url.Values) { q.Del("state") }, code: "oidc_state"},
		{name: "wrong code", back: func(q url.Values) { q.Set("code", "guessed") }, code: "oidc_token"},
		{name: "the person says no", back: func(q url.Values) { q.Set("error", "access_denied") }, code: "oidc_refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := oidctest.New(t)
			if c.forged {
				p.ForgeSignatures()
			}
			b := oidcBrowser(t, p.URL)
			if c.email == "" {
				c.email = annsEmail
			}
			at := p.Authorize(b.begin(t), c.email, c.claims)
			if c.back != nil {
				q := at.Query()
				c.back(q)
				at.RawQuery = q.Encode()
			}
			rec := b.back(t, at)
			require.Equal(t, 403, rec.Code, rec.Body)
			require.Contains(t, rec.Body.String(), `<p role="alert">`)
			require.Empty(t, b.sessions)
			require.Len(t, b.audited, 1)
			require.Equal(t, picloud.AuditDenied, b.audited[0].Outcome)
			require.JSONEq(t, `{"means":"oidc","code":"`+c.code+`"}`, string(b.audited[0].After))
			require.Equal(t, 401, b.send(t, "GET", "/v1/me", "", "same-origin").Code)
		})
	}
}

// The cookie is this server's own, for one browser.
func TestASignInBegunElsewhereIsRefused(t *testing.T) {
	t.Parallel()
	p := oidctest.New(t)
	mine, others := oidcBrowser(t, p.URL), oidcBrowser(t, p.URL)
	at := p.Authorize(others.begin(t), annsEmail, nil)
	require.Equal(t, 403, mine.back(t, at).Code, "no cookie")
	mine.begin(t)
	require.Equal(t, 403, mine.back(t, at).Code, "another's state")
	forged := mine.do(t.Context(), "GET", at.RequestURI(), "", map[string]string{"Cookie": auth.OIDCCookie + "=eyJzdGF0ZSI6IngifQ"})
	require.Equal(t, 403, forged.Code)
	require.Empty(t, mine.sessions)
	require.Equal(t, http.StatusSeeOther, others.back(t, at).Code)
}

// A provider that is down holds nobody up but those who would sign in there.
func TestAProviderThatIsDown(t *testing.T) {
	t.Parallel()
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	b := oidcBrowser(t, down.URL)
	rec := b.send(t, "GET", "/login/oidc", "", "same-origin")
	require.Equal(t, 503, rec.Code)
	require.Contains(t, rec.Body.String(), "the sign-in provider does not answer: try again later")
	require.Equal(t, 200, b.send(t, "GET", "/login", "", "same-origin").Code)
}

func TestWithoutAProviderThereIsNoDoor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NotContains(t, w.do(t.Context(), "GET", "/login", "", nil).Body.String(), "Sign in with")
	require.Equal(t, 401, w.do(t.Context(), "GET", "/login/oidc", "", map[string]string{"Authorization": ""}).Code)
}
