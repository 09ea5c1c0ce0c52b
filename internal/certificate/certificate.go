// Package certificate gives the instance's TLS certificate to its listeners, from files that may be renewed while it runs.
package certificate

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// Files are a certificate chain and its private key in PEM, as certbot, acme.sh and Caddy write them.
type Files struct {
	Cert string // path of the chain, leaf first
	Key  string // path of the private key
}

// lookInterval is how often a handshake looks at the files' times.
const lookInterval = time.Minute

// Load reads the files once, so that a wrong one is known at the start, and gives a configuration that follows them: a renewed certificate is used by
// handshakes that begin a minute later, without a restart. Files that cannot be read any more, or do not belong together while they are being renewed, leave the old one.
func Load(files Files) (*tls.Config, error) {
	l := &loader{files: files, now: time.Now}
	if err := l.load(); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: l.certificate}, nil
}

// loader keeps the newest certificate.
type loader struct {
	files Files
	now   func() time.Time

	mutex   sync.Mutex
	current *tls.Certificate
	changed [2]time.Time // modification times of the files that current was read from
	looked  time.Time
}

func (l *loader) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if now := l.now(); now.Sub(l.looked) >= lookInterval {
		l.looked = now
		if changed, err := l.times(); err == nil && changed != l.changed {
			_ = l.load() // on an error the old one stays, and the next look tries again
		}
	}
	return l.current, nil
}

// load reads both files. The times are read before the files: what is written in between is seen at the next look.
func (l *loader) load() error {
	changed, err := l.times()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(l.files.Cert, l.files.Key)
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	l.current, l.changed = &pair, changed
	return nil
}

func (l *loader) times() (changed [2]time.Time, err error) {
	for i, path := range [...]string{l.files.Cert, l.files.Key} {
		info, err := os.Stat(path)
		if err != nil {
			return changed, fmt.Errorf("read certificate: %w", err)
		}
		changed[i] = info.ModTime()
	}
	return changed, nil
}
