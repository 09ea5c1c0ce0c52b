package auth

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// KeyPrefix starts every key that PiCloud makes, so that scanners for leaked secrets can know one.
const KeyPrefix = "pck_"

// keyFile is the bootstrap key's place in the data directory.
const keyFile = "admin-key"

// LoadAdminKey gives the bootstrap admin key: fromEnv if set, else the one in <dataDir>/admin-key, else a new one of 256 random bits that it keeps
// there, mode 0600, on disk before it returns; then created is true. Processes that start at once agree on one key.
func LoadAdminKey(dataDir, fromEnv string) (key string, created bool, err error) {
	if fromEnv != "" {
		return fromEnv, false, nil
	}
	path := filepath.Join(dataDir, keyFile)
	key, err = readKey(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return key, false, err
	}
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return "", false, fmt.Errorf("make data directory: %w", err)
	}
	random := make([]byte, 32)
	if _, err := rand.Read(random); err != nil {
		return "", false, fmt.Errorf("make admin key: %w", err)
	}
	key = KeyPrefix + base64.RawURLEncoding.EncodeToString(random)
	switch err := writeKey(path, key); {
	case errors.Is(err, fs.ErrExist): // another process was first
		key, err = readKey(path)
		return key, false, err
	case err != nil:
		return "", false, err
	}
	return key, true, nil
}

func readKey(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read admin key: %w", err)
	}
	key := strings.TrimSpace(string(content))
	if key == "" {
		return "", fmt.Errorf("read admin key: %s is empty: remove it to get a new key", path)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return "", fmt.Errorf("protect admin key: %w", err)
	}
	return key, nil
}

// writeKey makes the file whole or not at all; fs.ErrExist if it is there. The link, not a rename, is what fails when another process was first.
func writeKey(path, key string) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, keyFile+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("write admin key: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(key + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("write admin key: %w", err)
	}
	return nil
}

// syncDir makes a new name in dir survive a power loss.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
