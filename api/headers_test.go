package api

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestEveryDoorHasItsPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, want := range map[string]struct{ policy, cache string }{
		"/v1/apps":                     {"default-src 'none'; frame-ancestors 'none'", "no-store"},
		"/v1/nowhere":                  {"default-src 'none'; frame-ancestors 'none'", "no-store"},
		"/run/shop/response":           {"sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts", ""},
		"/run/shop/no-such-script":     {"sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts", ""},
		"/healthz":                     {"default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'", ""},
		"/temporal/namespaces/default": {"", ""},
	} {
		h := w.do(t.Context(), http.MethodGet, path, "", nil).Header()
		assert.Equal(t, want.policy, h.Get("Content-Security-Policy"), path)
		assert.Equal(t, want.cache, h.Get("Cache-Control"), path)
		assert.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), path)
		assert.Equal(t, "no-referrer", h.Get("Referrer-Policy"), path)
		assert.Empty(t, h.Get("Strict-Transport-Security"), "%s: the connection is not encrypted", path)
	}
}

func TestForwardedHeadersAreBelievedFromProxiesOnly(t *testing.T) {
	t.Parallel()
	forwarded := map[string]string{"X-Forwarded-Proto": "https"}
	w := newWorld(t) // requests come from 192.0.2.1, see net/http/httptest
	assert.Empty(t, w.do(t.Context(), http.MethodGet, "/v1/apps", "", forwarded).Header().Get("Strict-Transport-Security"))

	w = newWorld(t, func(o *Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	assert.Equal(t, "max-age=31536000", w.do(t.Context(), http.MethodGet, "/v1/apps", "", forwarded).Header().Get("Strict-Transport-Security"))
}
