package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// write makes a self-signed certificate of that name for 127.0.0.1, as a renewal does: the certificate first, then its key.
func write(t *testing.T, files Files, name string, modified time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(files.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(files.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), 0o600))
	for _, path := range []string{files.Cert, files.Key} {
		require.NoError(t, os.Chtimes(path, modified, modified))
	}
}

// served gives the name in the certificate that a client sees.
func served(t *testing.T, address string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func TestARenewedCertificateIsServedWithoutARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := Files{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	began := time.Now()
	write(t, files, "first", began)
	now := began
	l := &loader{files: files, now: func() time.Time { return now }}
	require.NoError(t, l.load())

	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: l.certificate})
	require.NoError(t, err)
	server := &http.Server{ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	address := listener.Addr().String()
	assert.Equal(t, "first", served(t, address))

	write(t, files, "second", began.Add(time.Second))
	now = now.Add(2 * lookInterval)
	assert.Equal(t, "second", served(t, address))

	require.NoError(t, os.WriteFile(files.Key, []byte("half a file"), 0o600))
	now = now.Add(2 * lookInterval)
	assert.Equal(t, "second", served(t, address), "a renewal that is under way leaves the old one")

	require.NoError(t, os.Remove(files.Cert))
	now = now.Add(2 * lookInterval)
	assert.Equal(t, "second", served(t, address))
}

func TestAWrongFileIsKnownAtTheStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := Files{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	_, err := Load(files)
	require.ErrorContains(t, err, "cert.pem")
	write(t, files, "one", time.Now())
	other := Files{Cert: filepath.Join(dir, "other.pem"), Key: filepath.Join(dir, "other-key.pem")}
	write(t, other, "two", time.Now())
	_, err = Load(Files{Cert: files.Cert, Key: other.Key})
	require.ErrorContains(t, err, "private key does not match")
}
