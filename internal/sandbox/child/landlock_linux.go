package child

import (
	"errors"
	"fmt"

	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"
)

// Everything that landlock can refuse in files (ABI 1 to 5) and TCP (ABI 4). Signals and abstract sockets (ABI 6) stay with the filter of system calls:
// kernels before 6.15 take the scope of signals a thread, and would refuse the runtime its own.
const (
	landlockFiles = landlock.AccessFSSet(1<<16 - 1)
	landlockTCP   = landlock.AccessNetSet(unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP)
)

// The versions of landlock's interface: https://docs.kernel.org/userspace-api/landlock.html#previous-limitations.
const landlockWithTCP = 4

// lockFiles refuses every access to files, and TCP where the kernel can, on all threads. Where it cannot do all of it, it does what it can and says so.
func lockFiles() error {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return errors.New("the kernel has none, or it is off")
	}
	config, err := landlock.NewConfig(landlockFiles, landlockTCP)
	if err != nil {
		return fmt.Errorf("make rules: %w", err)
	}
	if err := config.BestEffort().Restrict(); err != nil {
		return fmt.Errorf("restrict: %w", err)
	}
	if version < landlockWithTCP {
		return fmt.Errorf("the kernel's version %d keeps from files, not from TCP", version)
	}
	return nil
}
