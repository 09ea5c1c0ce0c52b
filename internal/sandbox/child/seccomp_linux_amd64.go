package child

import "golang.org/x/sys/unix"

// auditArch is the machine that the filter is for; calls by another of its ways in (i386, x32) have other numbers, and kill.
const auditArch = unix.AUDIT_ARCH_X86_64

// archCalls are the calls that only this machine has.
var archCalls = []uint32{unix.SYS_POLL, unix.SYS_EPOLL_WAIT}
