package auth

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/picloud/picloud/internal/keyfile"
)

// KeyPrefix starts every key that PiCloud makes, so that scanners for leaked secrets can know one.
const KeyPrefix = "pck_"

// adminKeyFile is the bootstrap key's place in the data directory.
const adminKeyFile = "admin-key"

// LoadAdminKey gives the bootstrap admin key: fromEnv if set, else the one in <dataDir>/admin-key, else a new one of 256 random bits that it keeps
// there, mode 0600, on disk before it returns; then created is true. Processes that start at once agree on one key.
func LoadAdminKey(dataDir, fromEnv string) (key string, created bool, err error) {
	if fromEnv != "" {
		return fromEnv, false, nil
	}
	path := filepath.Join(dataDir, adminKeyFile)
	if key, err = keyfile.Read(path); !errors.Is(err, fs.ErrNotExist) {
		return key, false, err //nolint:wrapcheck // it names the file
	}
	key = KeyPrefix + newSecret()
	err = keyfile.Create(path, key)
	if errors.Is(err, fs.ErrExist) { // another process was first
		key, err = keyfile.Read(path)
		return key, false, err //nolint:wrapcheck // it names the file
	}
	if err != nil {
		return "", false, err //nolint:wrapcheck // it names the file
	}
	return key, true, nil
}
