//go:build !linux

package program

import "errors"

// inMemory is of Linux only.
func inMemory(string) (string, error) { return "", errors.ErrUnsupported }
