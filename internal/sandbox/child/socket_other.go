//go:build !linux

package child

import (
	"time"

	"golang.org/x/sys/unix"
)

// waitUnseen does not wait: only Linux lets a thread wait without the Go runtime.
func (s *socket) waitUnseen(time.Duration) bool { return false }

// writeUnseen writes as much as there is room for: 0 with an error.
func writeUnseen(fd int, p []byte) (int, error) {
	n, err := unix.Write(fd, p)
	return max(n, 0), err
}

// readUnseen reads what is there.
func readUnseen(fd int, p []byte) (int, error) { return unix.Read(fd, p) }
