package caddy_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// patience is for a loaded machine.
const patience = time.Minute

// freePort gives a port on loopback that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	return netip.MustParseAddrPort(listener.Addr().String()).String()[len("127.0.0.1:"):]
}

// The Caddyfile, as it is, before a whole PiCloud: encrypted, redirected, and believed.
func TestCaddyBeforePiCloud(t *testing.T) {
	t.Parallel()
	caddy, err := exec.LookPath("caddy")
	if err != nil {
		t.Skip("caddy is not installed (deployments/install/test-tools.sh installs it)")
	}
	picloud := testkit.Up(t)
	upstream, err := url.Parse(picloud.URL)
	require.NoError(t, err)
	plain, secured, home := freePort(t), freePort(t), t.TempDir()
	cmd := exec.CommandContext(t.Context(), caddy, "run", "--config", "Caddyfile", "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "CADDY_HTTP_PORT="+plain, "CADDY_HTTPS_PORT="+secured, "PICLOUD_UPSTREAM="+upstream.Host, "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Wait() })

	authority := filepath.Join(home, "caddy", "pki", "authorities", "local", "root.crt")
	testkit.Eventually(t, patience, func() error { _, err := os.Stat(authority); return err })
	pem, err := os.ReadFile(authority)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	get := func(address string) (status int, header http.Header, err error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+picloud.Key)
		answer, err := client.Do(r)
		if err != nil {
			return 0, nil, err
		}
		return answer.StatusCode, answer.Header, answer.Body.Close()
	}
	var status int
	var header http.Header
	testkit.Eventually(t, patience, func() (err error) {
		status, header, err = get("https://localhost:" + secured + "/v1/apps")
		return err
	})
	assert.Equal(t, http.StatusOK, status)
	assert.NotEmpty(t, header.Get("Strict-Transport-Security"), "PiCloud knows that the caller's connection is encrypted")

	status, header, err = get("http://localhost:" + plain + "/v1/apps")
	require.NoError(t, err)
	assert.Equal(t, http.StatusPermanentRedirect, status)
	assert.Contains(t, header.Get("Location"), "https://localhost")
}
