package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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

// listen serves the world on a real socket, with the listener's limits.
func (w *world) listen(t *testing.T) string {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.Config = NewHTTPServer("", w.handler)
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// A caller that sends its headers or its body a byte at a time (slow loris) is cut off, and keeps nobody else waiting meanwhile.
func TestSlowCallersAreCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.BodyTimeout = time.Second })
	address := w.listen(t)
	beginnings := map[string]string{
		"headers": "GET /v1/apps HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"body": "PUT /v1/apps/shop/kv/orders/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + testKey +
			"\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n\"",
	}
	for name, beginning := range beginnings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const callers = 100
			ended := make(chan error, callers)
			for range callers {
				conn, err := net.Dial("tcp", address)
				require.NoError(t, err)
				go func() { ended <- drip(conn, beginning) }()
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/v1/apps", nil)
			require.NoError(t, err)
			r.Header.Set("Authorization", "Bearer "+testKey)
			answer, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			_ = answer.Body.Close()
			assert.Equal(t, http.StatusOK, answer.StatusCode, "others are served")
			for range callers {
				require.NoError(t, <-ended)
			}
		})
	}
}

// drip sends a beginning, and then a byte at a time until the server ends the connection; an error says that it did not.
func drip(conn net.Conn, beginning string) error {
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, beginning); err != nil {
		return fmt.Errorf("send the beginning: %w", err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, bufio.NewReader(conn))
	}()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	patience := time.NewTimer(2 * time.Minute)
	defer patience.Stop()
	for {
		select {
		case <-gone:
			return nil
		case <-ticker.C:
			_, _ = io.WriteString(conn, "x")
		case <-patience.C:
			return fmt.Errorf("the server still listens")
		}
	}
}

func TestLargeHeadersAreRefused(t *testing.T) {
	t.Parallel()
	address := newWorld(t).listen(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/v1/apps", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+testKey)
	r.Header.Set("X-Large", strings.Repeat("x", 2*maxHeaderBytes))
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	_ = answer.Body.Close()
	assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, answer.StatusCode)
}
