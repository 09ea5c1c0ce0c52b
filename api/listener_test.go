package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// serve serves handler on a real socket, with the listener's limits, and gives its URL.
func serve(t *testing.T, handler http.Handler, patience Patience) string {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.Config = NewHTTPServer("", handler, patience)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// A caller that sends its headers or its body a byte at a time (slow loris) is cut off, and keeps nobody else waiting meanwhile. That holds for a body that is not read, too:
// of one who is refused, or at an address that has no use for it.
func TestSlowCallersAreCutOff(t *testing.T) {
	t.Parallel()
	address := serve(t, newWorld(t).handler, Patience{Body: time.Second})
	const body = "Host: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n\""
	for name, beginning := range map[string]string{
		"headers":                 "GET /v1/apps HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"body":                    "PUT /v1/apps/shop/kv/orders/1 HTTP/1.1\r\nAuthorization: Bearer " + testKey + "\r\n" + body,
		"body of a refused":       "PUT /v1/apps/shop/kv/orders/1 HTTP/1.1\r\n" + body,
		"body where none belongs": "GET /healthz HTTP/1.1\r\n" + body,
		"body for nobody":         "POST /nowhere HTTP/1.1\r\n" + body,
		"form":                    "POST /login HTTP/1.1\r\n" + strings.Replace(body, "application/json", "application/x-www-form-urlencoded", 1),
		"chunks":                  "POST /run/shop/hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const callers = 20
			ended := make(chan error, callers)
			for range callers {
				conn, err := net.Dial("tcp", strings.TrimPrefix(address, "http://"))
				require.NoError(t, err)
				go func() { ended <- drip(conn, beginning) }()
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/v1/apps", nil)
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

// A caller that asks for much and takes nothing holds no handler either.
func TestCallersWhoDoNotReadAreCutOff(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		much := make([]byte, 1<<20)
		for {
			if _, err := w.Write(much); err != nil {
				close(ended)
				return
			}
		}
	}), Patience{Answer: time.Second})
	answer, err := http.Get(address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = answer.Body.Close() })
	select {
	case <-ended:
	case <-time.After(2 * time.Minute):
		t.Fatal("the handler still writes")
	}
}

func TestConnectIsRefused(t *testing.T) {
	t.Parallel()
	address := serve(t, newWorld(t).handler, Patience{})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodConnect, address+"/run/shop/hello", nil)
	require.NoError(t, err)
	r.URL.Opaque = "/run/shop/hello"
	r.Header.Set("Authorization", "Bearer "+testKey)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	_ = answer.Body.Close()
	assert.Equal(t, http.StatusMethodNotAllowed, answer.StatusCode)
}

// One who takes an answer slowly, and does take it, gets all of it; and the next request of the connection has its own time.
func TestSlowReadersGetTheirAnswer(t *testing.T) {
	t.Parallel()
	const size = 8 << 20
	address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && string(body) == "much" {
			_, _ = w.Write(make([]byte, size))
			return
		}
		_, _ = io.WriteString(w, "little")
	}), Patience{Body: 10 * time.Second, Answer: 10 * time.Second})
	for _, body := range []string{"much", "", "x"} {
		answer, err := http.Post(address, "text/plain", strings.NewReader(body))
		require.NoError(t, err)
		got, err := io.ReadAll(iotest.OneByteReader(bufio.NewReaderSize(answer.Body, 1<<10)))
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		if body == "much" {
			assert.Len(t, got, size)
		} else {
			assert.Equal(t, "little", string(got))
		}
	}
}

func TestLargeHeadersAreRefused(t *testing.T) {
	t.Parallel()
	address := serve(t, newWorld(t).handler, Patience{})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/v1/apps", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+testKey)
	r.Header.Set("X-Large", strings.Repeat("x", 2*maxHeaderBytes))
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	_ = answer.Body.Close()
	assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, answer.StatusCode)
}
