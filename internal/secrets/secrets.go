// Package secrets encrypts the values of secrets under the instance's key: AES-256-GCM by Tink, from a keyset that is kept in a file or comes by the
// environment. It knows no database: see internal/store.
package secrets

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/picloud/picloud/internal/keyfile"
	"github.com/picloud/picloud/internal/picloud"
)

// FileName is the name of the instance's key in the data folder.
const FileName = "instance-key"

// Source says where the instance's key is kept. Its text is a Tink keyset (the binary form) in base64, on one line.
type Source struct {
	DataDir string // its FileName, unless one of the others is set
	File    string // PICLOUD_INSTANCE_KEY_FILE
	Text    string // PICLOUD_INSTANCE_KEY: the key itself
}

// file gives the path of the key; "" when the environment holds it.
func (s Source) file() string {
	switch {
	case s.Text != "":
		return ""
	case s.File != "":
		return s.File
	default:
		return filepath.Join(s.DataDir, FileName)
	}
}

// String names the place for people; it does not show the key.
func (s Source) String() string {
	if file := s.file(); file != "" {
		return file
	}
	return "PICLOUD_INSTANCE_KEY"
}

// Keyring is the instance's keys: one that seals, and after an unfinished rotation older ones that still open. It is safe for concurrent use.
type Keyring struct {
	source Source

	mutex  sync.RWMutex
	handle *keyset.Handle // nil until there is a key
	cipher tink.AEAD
}

// The promise that Keyring keeps.
var _ picloud.Sealer = (*Keyring)(nil)

// Open reads the instance's key. That there is no file is no error: see Exists and Create.
func Open(source Source) (*Keyring, error) {
	k := &Keyring{source: source}
	if err := k.Reload(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return k, nil
}

// Exists reports whether there is a key.
func (k *Keyring) Exists() bool {
	k.mutex.RLock()
	defer k.mutex.RUnlock()
	return k.handle != nil
}

// Source says where the key is kept.
func (k *Keyring) Source() Source { return k.source }

// Create makes the first key and keeps it in its file. Where another process was first, its key holds.
func (k *Keyring) Create() error {
	file := k.source.file()
	if file == "" {
		return errors.New("make instance key: PICLOUD_INSTANCE_KEY is empty")
	}
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("make instance key: %w", err)
	}
	text, err := encode(handle)
	if err != nil {
		return err
	}
	if err := keyfile.Create(file, text); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keep instance key: %w", err)
	}
	return k.Reload()
}

// Reload implements picloud.Sealer. The error wraps fs.ErrNotExist when there is no file.
func (k *Keyring) Reload() error {
	text := k.source.Text
	if file := k.source.file(); file != "" {
		var err error
		if text, err = keyfile.Read(file); err != nil {
			return fmt.Errorf("read instance key: %w", err)
		}
	}
	handle, err := decode(text)
	if err != nil {
		return fmt.Errorf("read instance key: %s: %w", k.source, err)
	}
	return k.use(handle)
}

func (k *Keyring) use(handle *keyset.Handle) error {
	cipher, err := aead.New(handle)
	if err != nil {
		return fmt.Errorf("use instance key: %w", err)
	}
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.handle, k.cipher = handle, cipher
	return nil
}

func (k *Keyring) current() (*keyset.Handle, tink.AEAD) {
	k.mutex.RLock()
	defer k.mutex.RUnlock()
	return k.handle, k.cipher
}

// KeyID implements picloud.Sealer; 0 without a key.
func (k *Keyring) KeyID() uint32 {
	handle, _ := k.current()
	if handle == nil {
		return 0
	}
	primary, err := handle.Primary()
	if err != nil {
		return 0
	}
	return primary.KeyID()
}

// errNoKey says that the instance has no key yet.
var errNoKey = errors.New("the instance has no key")

// Seal implements picloud.Sealer.
func (k *Keyring) Seal(appID, name string, value []byte) ([]byte, error) {
	_, cipher := k.current()
	if cipher == nil {
		return nil, errNoKey
	}
	sealed, err := cipher.Encrypt(value, bound(appID, name))
	if err != nil {
		return nil, fmt.Errorf("seal secret: %w", err)
	}
	return sealed, nil
}

// Open implements picloud.Sealer. What does not open is tried again with the keys read anew: another process may have rotated them.
func (k *Keyring) Open(appID, name string, sealed []byte) ([]byte, error) {
	_, cipher := k.current()
	if cipher == nil {
		return nil, errNoKey
	}
	value, err := cipher.Decrypt(sealed, bound(appID, name))
	if err == nil {
		return value, nil
	}
	if k.source.file() == "" || k.Reload() != nil {
		return nil, picloud.ErrWrongKey
	}
	_, cipher = k.current()
	if value, err = cipher.Decrypt(sealed, bound(appID, name)); err != nil {
		return nil, picloud.ErrWrongKey
	}
	return value, nil
}

// bound is what a sealed value is bound to: with other data it does not open, so that rows cannot be swapped. Neither part has a NUL.
func bound(appID, name string) []byte { return []byte("picloud secret\x00" + appID + "\x00" + name) }

// Rotate adds a key that seals from now on, and keeps it; those that were there still open. It changes nothing where a rotation is unfinished.
func (k *Keyring) Rotate() error {
	return k.change(func(handle *keyset.Handle, m *keyset.Manager) error {
		if handle.Len() > 1 {
			return nil
		}
		id, err := m.Add(aead.AES256GCMKeyTemplate())
		if err != nil {
			return err //nolint:wrapcheck // change wraps it
		}
		return m.SetPrimary(id)
	})
}

// DropOld takes all keys away but the one that seals: what the others sealed can then never be opened again.
func (k *Keyring) DropOld() error {
	return k.change(func(handle *keyset.Handle, m *keyset.Manager) error {
		for i := range handle.Len() {
			entry, err := handle.Entry(i)
			if err != nil {
				return err //nolint:wrapcheck // change wraps it
			}
			if entry.IsPrimary() {
				continue
			}
			if err := m.Delete(entry.KeyID()); err != nil {
				return err //nolint:wrapcheck // as above
			}
		}
		return nil
	})
}

// change changes the keys and keeps them: first in the file, then here.
func (k *Keyring) change(edit func(handle *keyset.Handle, m *keyset.Manager) error) error {
	file := k.source.file()
	if file == "" {
		return errors.New("change instance key: it is in PICLOUD_INSTANCE_KEY, where it cannot be written: put it into a file and name that by PICLOUD_INSTANCE_KEY_FILE")
	}
	if err := k.Reload(); err != nil {
		return err
	}
	handle, _ := k.current()
	m := keyset.NewManagerFromHandle(handle)
	if err := edit(handle, m); err != nil {
		return fmt.Errorf("change instance key: %w", err)
	}
	changed, err := m.Handle()
	if err != nil {
		return fmt.Errorf("change instance key: %w", err)
	}
	text, err := encode(changed)
	if err != nil {
		return err
	}
	if err := keyfile.Replace(file, text); err != nil {
		return fmt.Errorf("keep instance key: %w", err)
	}
	return k.use(changed)
}

func encode(handle *keyset.Handle) (string, error) {
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewBinaryWriter(&b)); err != nil {
		return "", fmt.Errorf("write instance key: %w", err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

// decode reads a key's text. Its errors do not show it.
func decode(text string) (*keyset.Handle, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, errors.New("it is no instance key (a Tink keyset in base64)")
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(raw)))
	if err != nil {
		return nil, errors.New("it is no instance key (a Tink keyset in base64)")
	}
	return handle, nil
}
