package child

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// nobodyID is the user and group that a child of root becomes: one that no account has, so that children share files, limits of the number of processes and
// signals with nothing else. It is low enough for the 65536 ids of a usual container.
const nobodyID = 64206

// dropRoot makes a process of root one of nobody, with no capability and no group. The server's own files stay readable to root alone.
func dropRoot() error {
	if os.Geteuid() != 0 {
		return nil
	}
	if err := syscall.Setgroups(nil); err != nil {
		return fmt.Errorf("leave groups: %w", err)
	}
	if err := syscall.Setresgid(nobodyID, nobodyID, nobodyID); err != nil {
		return fmt.Errorf("change group: %w", err)
	}
	if err := syscall.Setresuid(nobodyID, nobodyID, nobodyID); err != nil {
		return fmt.Errorf("change user: %w", err)
	}
	// The kernel has forgotten this signal, which the server had set on the first thread; this one may be another.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("set parent death signal: %w", err)
	}
	return nil
}
