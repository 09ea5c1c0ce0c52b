package child

import "golang.org/x/sys/unix"

// auditArch is the machine that the filter is for; calls by its other way in (32 bit) have other numbers, and kill.
const auditArch = unix.AUDIT_ARCH_AARCH64

// archCalls are the calls that only this machine has.
var archCalls []uint32
