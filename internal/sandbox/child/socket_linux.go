package child

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// waitUnseen waits until something can be read, for d at most; a signal ends it sooner.
func (s *socket) waitUnseen(d time.Duration) bool {
	poll := unix.PollFd{Fd: int32(s.fd), Events: unix.POLLIN}
	timeout := unix.NsecToTimespec(d.Nanoseconds())
	n, _, _ := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&poll)), 1, uintptr(unsafe.Pointer(&timeout)), 0, 0, 0) //nolint:gosec // the kernel takes addresses
	return n == 1
}

// writeUnseen writes as much as there is room for: 0 with an error.
func writeUnseen(fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p))) //nolint:gosec // the kernel takes an address
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// readUnseen reads what is there.
func readUnseen(fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p))) //nolint:gosec // the kernel takes an address
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
