//go:build !linux

package sandbox

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// socketPair makes two connected sockets that no other child inherits.
func socketPair() ([2]int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	return fds, err
}

// attributes puts a child in a process group of its own. It outlives a server that is killed until it reads the end of its socket.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// privateBytes is not known here.
func privateBytes(int) int64 { return 0 }
