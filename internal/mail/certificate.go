package mail

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// The files of the certificate that PiCloud makes itself, and how long it lasts.
const (
	certificateFile     = "smtp-certificate.pem"
	keyFile             = "smtp-key.pem"
	certificateLifetime = 10 * 365 * 24 * time.Hour
	certificateRenewal  = 30 * 24 * time.Hour // made anew when less is left
)

// SelfSigned gives a certificate for STARTTLS where the instance has none: made in folder at the first start, and kept there. Mail servers encrypt with such a
// certificate; they do not know by it whom they talk to.
func SelfSigned(folder string, domain picloud.MailDomain) (*tls.Config, error) {
	cert, key := filepath.Join(folder, certificateFile), filepath.Join(folder, keyFile)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if errors.Is(err, os.ErrNotExist) || err == nil && (time.Until(pair.Leaf.NotAfter) < certificateRenewal || pair.Leaf.VerifyHostname(string(domain)) != nil) {
		if err := makeCertificate(cert, key, domain); err != nil {
			return nil, err
		}
		pair, err = tls.LoadX509KeyPair(cert, key)
	}
	if err != nil {
		return nil, fmt.Errorf("read smtp certificate: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

func makeCertificate(certPath, keyPath string, domain picloud.MailDomain) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make smtp key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return fmt.Errorf("make serial of smtp certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: string(domain)}, DNSNames: []string{string(domain), "*." + string(domain)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(certificateLifetime), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return fmt.Errorf("make smtp certificate: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode smtp key: %w", err)
	}
	// The certificate last: without it both are made anew.
	_ = os.Remove(certPath)
	if err := writePEM(keyPath, "PRIVATE KEY", secret); err != nil {
		return err
	}
	return writePEM(certPath, "CERTIFICATE", der)
}

func writePEM(path, kind string, der []byte) error {
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		return fmt.Errorf("write smtp certificate: %w", err)
	}
	return nil
}
