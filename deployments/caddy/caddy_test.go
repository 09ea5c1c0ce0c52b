package caddy_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
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

// proxy is a running Caddy.
type proxy struct {
	client         *http.Client // trusts its certificate
	plain, secured string       // ports on loopback
	key            string       // shown with every request
}

// startCaddy runs a Caddyfile as it is.
func startCaddy(t *testing.T, config, key string, environment ...string) *proxy {
	t.Helper()
	caddy, err := exec.LookPath("caddy")
	if err != nil {
		t.Skip("caddy is not installed (deployments/install/test-tools.sh installs it)")
	}
	p, home := &proxy{plain: freePort(t), secured: freePort(t), key: key}, t.TempDir()
	cmd := exec.CommandContext(t.Context(), caddy, "run", "--config", config, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "CADDY_HTTP_PORT="+p.plain, "CADDY_HTTPS_PORT="+p.secured, "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home)
	cmd.Env = append(cmd.Env, environment...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Wait() })

	authority := filepath.Join(home, "caddy", "pki", "authorities", "local", "root.crt")
	testkit.Eventually(t, patience, func() error { _, err := os.Stat(authority); return err })
	pem, err := os.ReadFile(authority)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))
	p.client = &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return p
}

// get asks until something answers.
func (p *proxy) get(t *testing.T, address string) (status int, header http.Header, body string) {
	t.Helper()
	testkit.Eventually(t, patience, func() error {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+p.key)
		answer, err := p.client.Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close() //nolint:errcheck // it was read
		b, err := io.ReadAll(answer.Body)
		status, header, body = answer.StatusCode, answer.Header, string(b)
		if err == nil && status >= http.StatusInternalServerError {
			err = fmt.Errorf("%s: %d %s", address, status, body)
		}
		return err
	})
	return status, header, body
}

func host(t *testing.T, i *testkit.Instance) string {
	t.Helper()
	u, err := url.Parse(i.URL)
	require.NoError(t, err)
	return u.Host
}

// Before a whole PiCloud: encrypted, redirected, and believed.
func TestCaddyBeforePiCloud(t *testing.T) {
	t.Parallel()
	picloud := testkit.Up(t)
	caddy := startCaddy(t, "Caddyfile", picloud.Key, "PICLOUD_UPSTREAM="+host(t, picloud))
	status, header, _ := caddy.get(t, "https://localhost:"+caddy.secured+"/v1/apps")
	assert.Equal(t, http.StatusOK, status)
	assert.NotEmpty(t, header.Get("Strict-Transport-Security"), "PiCloud knows that the caller's connection is encrypted")

	status, header, _ = caddy.get(t, "http://localhost:"+caddy.plain+"/v1/apps")
	assert.Equal(t, http.StatusPermanentRedirect, status)
	assert.Contains(t, header.Get("Location"), "https://localhost")
}

// Before a cluster every address reaches the process that serves it.
func TestCaddyBeforeACluster(t *testing.T) {
	t.Parallel()
	cluster := testkit.NewCluster(t)
	caddy := startCaddy(t, "Caddyfile.cluster", cluster.Manager.Key, "PICLOUD_MANAGER="+host(t, cluster.Manager), "PICLOUD_ORCHESTRATORS="+host(t, cluster.Orchestrator))
	for path, want := range map[string]int{"/v1/apps": http.StatusOK, "/readyz": http.StatusOK, "/run/shop/hello": http.StatusNotFound, "/": http.StatusOK, "/temporal/": http.StatusOK} {
		status, _, body := caddy.get(t, "https://localhost:"+caddy.secured+path)
		assert.Equal(t, want, status, "%s: %s", path, body)
	}
}
