package socket

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// timeout gives a descriptor a timeout, if it can be had.
func timeout(fd, option int, d time.Duration) bool {
	t := unix.NsecToTimeval(d.Nanoseconds())
	return unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, option, &t) == nil
}

// pollUnseen waits until something can be read, for d at most; a signal ends it sooner.
func pollUnseen(fd int, d time.Duration) bool {
	poll := unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	timeout := unix.NsecToTimespec(d.Nanoseconds())
	n, _, _ := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&poll)), 1, uintptr(unsafe.Pointer(&timeout)), 0, 0, 0) //nolint:gosec // the kernel takes addresses
	return n == 1
}

// sendUnseen writes as much as there is room for.
func sendUnseen(fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0) //nolint:gosec // the kernel takes an address
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// writeUnseen writes as much as there is room for within the descriptor's timeout.
func writeUnseen(fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p))) //nolint:gosec // the kernel takes an address
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// readUnseen reads what is there, or what comes within the descriptor's timeout.
func readUnseen(fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p))) //nolint:gosec // the kernel takes an address
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
