package program

import (
	"errors"
	"fmt"
	"os/exec"

	"golang.org/x/sys/unix"
)

// errNotBuiltIn says that there is no small program.
var errNotBuiltIn = errors.New("no program of its own is built in")

// inMemory gives a path by which this process can start the program. The file has no name in any folder, cannot be changed, and goes with the process.
func inMemory(program string) (path string, err error) {
	if program == "" {
		return "", errNotBuiltIn
	}
	fd, err := memfd()
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = unix.Close(fd)
		}
	}()
	for rest := []byte(program); len(rest) > 0; {
		n, err := unix.Write(fd, rest)
		if err != nil {
			return "", fmt.Errorf("write the program into memory: %w", err)
		}
		rest = rest[n:]
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return "", fmt.Errorf("seal the program: %w", err)
	}
	path = fmt.Sprintf("/proc/self/fd/%d", fd)
	trial := exec.Command(path, Argument) // without a server it goes at once
	if err := trial.Start(); err != nil {
		return "", fmt.Errorf("try the program: %w", err)
	}
	_ = trial.Wait()
	return path, nil
}

// memfd makes a file in memory that may be run. Kernels before 6.3 do not know the flag that asks for it, and need none.
func memfd() (int, error) {
	const name = "picloud-sandbox-child"
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return 0, fmt.Errorf("make a file in memory: %w", err)
	}
	return fd, nil
}
