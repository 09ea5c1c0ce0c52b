//go:build !linux

package socket

import (
	"time"

	"golang.org/x/sys/unix"
)

// timeout gives none: only Linux lets a thread wait without the Go runtime.
func timeout(int, int, time.Duration) bool { return false }

// pollUnseen does not wait.
func pollUnseen(int, time.Duration) bool { return false }

// sendUnseen writes as much as there is room for.
func sendUnseen(fd int, p []byte) (int, error) {
	n, err := unix.SendmsgN(fd, p, nil, nil, unix.MSG_DONTWAIT)
	return max(n, 0), err
}

// writeUnseen is not used here.
func writeUnseen(fd int, p []byte) (int, error) { return sendUnseen(fd, p) }

// readUnseen reads what is there.
func readUnseen(fd int, p []byte) (int, error) { return unix.Read(fd, p) }
