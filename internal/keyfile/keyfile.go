// Package keyfile keeps a key in a file that its owner alone may read (mode 0600), written so that no crash and no second process leaves half of one.
package keyfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Read gives the text of the file, without the white space around it; mode 0600 is restored where somebody widened it. The error wraps fs.ErrNotExist when
// there is no file; an empty one is an error too.
func Read(path string) (string, error) {
	content, err := os.ReadFile(path) //nolint:gosec // G304: the operator's file
	if err != nil {
		return "", fmt.Errorf("read key: %w", err)
	}
	key := strings.TrimSpace(string(content))
	if key == "" {
		return "", fmt.Errorf("read key: %s is empty", path)
	}
	info, err := os.Stat(path)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = os.Chmod(path, 0o600)
	}
	if err != nil && !errors.Is(err, fs.ErrPermission) { // a file of another owner, e.g. a mounted secret, keeps its mode
		return "", fmt.Errorf("protect key: %w", err)
	}
	return key, nil
}

// Create writes a new file. The error wraps fs.ErrExist when there is one already: of processes that start at once one wins, and no reader sees half a key.
func Create(path, text string) error { return write(path, text, os.Link) }

// Replace writes the file in the place of the one that is there, in one step.
func Replace(path, text string) error { return write(path, text, os.Rename) }

func write(path, text string, put func(from, to string) error) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make folder of key: %w", err)
	}
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(text + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = put(f.Name(), path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // G304: the operator's folder
	if err != nil {
		return err //nolint:wrapcheck // write wraps it
	}
	return errors.Join(d.Sync(), d.Close())
}
