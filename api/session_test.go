package api

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/picloud"
)

const annsPassword = "correct horse battery"

// withAnn makes a person with a password, who is a developer in the shop.
func withAnn(t testing.TB, w *world) {
	t.Helper()
	w.addPrincipal(picloud.Principal{Kind: picloud.Person, Name: "ann", HasPassword: true})
	w.roles["shop ann"] = picloud.RoleDeveloper
	hash, err := auth.HashPassword(context.Background(), annsPassword)
	require.NoError(t, err)
	w.hashes = map[string]string{"ann": hash}
}

func sessionScenarios(t testing.TB) []scenario {
	ann := func(w *world) { withAnn(t, w) }
	signIn := func(name, body string, status int, code, field string) scenario {
		return scenario{
			name: name, operation: "createSession", method: "POST", path: "/v1/session", body: body, before: ann, headers: map[string]string{"Authorization": ""},
			status: status, code: code, field: field,
			after: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
				t.Helper()
				require.NotContains(t, w.log.String(), annsPassword)
			},
		}
	}
	return []scenario{
		signIn("right", `{"name":"ann","password":"`+annsPassword+`"}`, 201, "", ""),
		signIn("wrong password", `{"name":"ann","password":"`+annsPassword+`!"}`, 401, "wrong_credentials", ""),
		signIn("nobody", `{"name":"bob","password":"`+annsPassword+`"}`, 401, "wrong_credentials", ""),
		signIn("no password set", `{"name":"admin","password":""}`, 401, "wrong_credentials", ""),
		signIn("much too long", `{"name":"ann","password":"`+long(5000)+`"}`, 401, "wrong_credentials", ""),
		signIn("no name", `{"password":"x"}`, 422, "invalid", "name"),
		{name: "by a key", operation: "deleteSession", method: "DELETE", path: "/v1/session", status: 204},
	}
}

// browser is a person's browser: it keeps cookies.
type browser struct {
	*world
	jar http.CookieJar
}

// send sends a request as a browser does from a page of that site.
func (b *browser) send(t *testing.T, method, path, body, site string) *httptest.ResponseRecorder {
	t.Helper()
	at, err := url.Parse("http://example.com" + path)
	require.NoError(t, err)
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Sec-Fetch-Site", site)
	r.Header.Set("Accept", "text/html")
	if strings.HasPrefix(body, "name=") {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range b.jar.Cookies(at) {
		r.AddCookie(c)
	}
	rec := httptest.NewRecorder()
	b.handler.ServeHTTP(rec, r)
	b.jar.SetCookies(at, rec.Result().Cookies())
	return rec
}

func TestASessionOfAPerson(t *testing.T) {
	t.Parallel()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	b := &browser{newWorld(t), jar}
	withAnn(t, b.world)

	rec := b.send(t, "GET", "/?a=b", "", "none")
	require.Equal(t, http.StatusSeeOther, rec.Code, "a page asks for the form")
	require.Equal(t, "/login?next=%2F%3Fa%3Db", rec.Header().Get("Location"))
	rec = b.send(t, "GET", rec.Header().Get("Location"), "", "none")
	require.Equal(t, 200, rec.Code)
	require.Contains(t, rec.Body.String(), `name="next" value="/?a=b"`)
	require.Contains(t, rec.Header().Get("Content-Security-Policy"), "default-src 'none'; style-src 'sha256-")

	form := "name=ann&password=" + url.QueryEscape(annsPassword) + "&next=%2F%3Fa%3Db"
	require.Equal(t, 403, b.send(t, "POST", "/login", form, "cross-site").Code, "nobody is signed in by another site")
	require.Equal(t, 401, b.send(t, "POST", "/login", "name=ann&password=no", "same-origin").Code)
	rec = b.send(t, "POST", "/login", form, "same-origin")
	require.Equal(t, http.StatusSeeOther, rec.Code, rec.Body)
	require.Equal(t, "/?a=b", rec.Header().Get("Location"))
	cookie := rec.Result().Cookies()[0]
	require.True(t, cookie.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	require.False(t, cookie.Secure, "the connection is not encrypted")
	for _, c := range b.sessions {
		require.NotContains(t, string(c.Digest), cookie.Value, "what is stored is no token")
	}

	require.Equal(t, 200, b.send(t, "GET", "/", "", "none").Code)
	require.Contains(t, b.send(t, "GET", "/v1/me", "", "same-origin").Body.String(), `"name":"ann"`)
	require.Equal(t, 200, b.send(t, "PUT", shop+"/kv/orders/1", "1", "same-origin").Code)
	require.Contains(t, b.send(t, "PUT", shop+"/kv/orders/1", "1", "cross-site").Body.String(), "cross_origin")
	require.Contains(t, b.send(t, "DELETE", shop, "", "same-origin").Body.String(), "AppManage")
	require.Equal(t, 403, b.send(t, "GET", "/temporal/", "", "none").Code, "it shows all apps")
	require.Equal(t, 401, b.send(t, "GET", "/run/shop/hello", "", "cross-site").Code, "any page may link to an endpoint: the cookie is none there")

	require.Equal(t, 204, b.send(t, "DELETE", "/v1/session", "", "same-origin").Code)
	require.Empty(t, b.sessions)
	require.Equal(t, http.StatusSeeOther, b.send(t, "GET", "/", "", "none").Code)

	var actions []string
	for _, e := range b.audited {
		actions = append(actions, e.Action+" "+string(e.Outcome))
	}
	require.Contains(t, actions, "createSession denied")
	require.Contains(t, actions, "createSession done")
	require.Contains(t, actions, "deleteSession done")
}

// The form takes what a new owner has: the key of the first start.
func TestASessionOfAKey(t *testing.T) {
	t.Parallel()
	signIn := func(key string) (*browser, *httptest.ResponseRecorder) {
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		b := &browser{newWorld(t), jar}
		b.addKey(picloud.AdminPrincipal, "pck_narrow", "shop", time.Now().Add(time.Minute), picloud.ScopeDataRead)
		b.addKey(picloud.AdminPrincipal, "pck_late", "", time.Now().Add(-time.Minute), picloud.ScopeInstanceAdmin)
		return b, b.send(t, "POST", "/login", "name=&password="+key+"&next=%2Ftemporal%2F", "same-origin")
	}
	b, rec := signIn(testKey)
	require.Equal(t, http.StatusSeeOther, rec.Code, rec.Body)
	require.Equal(t, "/temporal/", rec.Header().Get("Location"))
	require.Equal(t, 200, b.send(t, "GET", "/temporal/", "", "none").Code)
	require.Contains(t, b.send(t, "GET", "/v1/me", "", "same-origin").Body.String(), `"name":"admin"`)
	require.NotContains(t, rec.Header().Get("Set-Cookie"), testKey)

	b, rec = signIn("pck_narrow")
	require.Equal(t, http.StatusSeeOther, rec.Code, rec.Body)
	require.Equal(t, 403, b.send(t, "GET", "/temporal/", "", "none").Code, "the session has no more rights than the key")
	require.Equal(t, 200, b.send(t, "GET", shop+"/kv/orders/z", "", "same-origin").Code)
	require.Equal(t, 403, b.send(t, "PUT", shop+"/kv/orders/z", "1", "same-origin").Code)
	require.WithinDuration(t, time.Now().Add(time.Minute), b.sessions[0].ExpiresAt, 10*time.Second, "it ends with the key")

	_, rec = signIn("pck_late")
	require.Equal(t, 401, rec.Code)
	require.Contains(t, rec.Body.String(), "The key expired at")
	_, rec = signIn("pck_unknown")
	require.Equal(t, 401, rec.Code)
	require.Contains(t, rec.Body.String(), "Name or password are wrong.")
}

func TestGuessingPasswordsIsSlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	guess := `{"name":"bob","password":"` + long(auth.MaxPassword+1) + `"}` // too long to be hashed: the test is quicker than the bucket fills
	for range signInBurst {
		require.Equal(t, 401, w.do(t.Context(), "POST", "/v1/session", guess, nil).Code)
	}
	rec := w.do(t.Context(), "POST", "/v1/session", guess, nil)
	require.Equal(t, 429, rec.Code, rec.Body)
	require.NotEmpty(t, rec.Header().Get("Retry-After"))
	require.Contains(t, rec.Body.String(), `"code":"rate_limited"`)
}

func TestTheFormGoesOnToThisServerOnly(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/a?b=c": "/a?b=c", "": "/", "//evil.example": "/", "/\\evil.example": "/", "https://evil.example": "/", "javascript:1": "/", "/\r\nX: y": "/",
	} {
		require.Equal(t, want, localPath(in), in)
	}
}

// Over TLS the cookie is one that no other host of the domain can set, and that none but it is taken.
func TestTheSessionsCookieIsTheHostsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	withAnn(t, w)
	secured := map[string]string{"X-Forwarded-Proto": "https", "Authorization": ""}
	rec := w.do(t.Context(), "POST", "/v1/session", `{"name":"ann","password":"`+annsPassword+`"}`, secured)
	require.Equal(t, 201, rec.Code, rec.Body)
	cookie := rec.Result().Cookies()[0]
	require.Equal(t, "__Host-picloud_session", cookie.Name)
	require.True(t, cookie.Secure)
	require.Equal(t, "/", cookie.Path)
	require.Empty(t, cookie.Domain)
	for name, want := range map[string]int{cookie.Name: 200, auth.SessionCookie: 401} {
		secured["Cookie"] = name + "=" + cookie.Value
		require.Equal(t, want, w.do(t.Context(), "GET", "/v1/me", "", secured).Code, name)
	}
	secured["Cookie"] = cookie.Name + "=" + cookie.Value
	require.Equal(t, 204, w.do(t.Context(), "DELETE", "/v1/session", "", secured).Code)
	require.Empty(t, w.sessions)
}

// A script's answer signs nobody in as somebody else, and out neither.
func TestScriptsDoNotSetTheSession(t *testing.T) {
	t.Parallel()
	for value, dropped := range map[string]bool{
		"picloud_session=x": true, " picloud_session = x; Path=/": true, "__Host-picloud_session=x; Secure; Path=/": true, "picloud_oidc=x": true,
		"=picloud_session=x": true, "picloud_session": true, "mine=1": false, "picloud_session_2=1": false, "a=picloud_session=x": false,
	} {
		require.Equal(t, dropped, setsOwnCookie("Set-Cookie", value), value)
	}
	require.True(t, ownHeaders["Clear-Site-Data"])
}

// Neither a script nor Temporal's UI gets the session.
func TestTheSessionStaysHere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.do(t.Context(), "GET", "/run/shop/hello", "", map[string]string{"Cookie": "a=1; " + auth.SessionCookie + "=secret; b=2"})
	require.Equal(t, 200, rec.Code, rec.Body)
	require.NotContains(t, rec.Body.String(), "secret")
	require.Contains(t, rec.Body.String(), "a=1; b=2")
}
