package child

import "golang.org/x/sys/unix"

// openOldWay is the call that came before openat.
const openOldWay = unix.SYS_OPEN
