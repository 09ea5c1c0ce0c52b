package child

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Where a filter finds things: struct seccomp_data of https://man7.org/linux/man-pages/man2/seccomp.2.html, little endian as all of our machines are.
const (
	offsetCall = 0
	offsetArch = 4
	offsetArgs = 16
	sizeArg    = 8
)

// filterThreads are the flags that a clone must have: a thread of this process, as the Go runtime and glibc make them.
const filterThreads = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD

// filterSpaces are the flags that no clone may have.
const filterSpaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET |
	unix.CLONE_PTRACE | unix.CLONE_VFORK

// allowedCalls are the system calls that the Go runtime (and glibc's threads, where cgo links them) makes while a script runs, and those of the socket.
// Nothing here opens a file, makes a socket, starts a program or reaches another process.
var allowedCalls = []uint32{
	unix.SYS_READ, unix.SYS_WRITE, unix.SYS_CLOSE, unix.SYS_PPOLL, unix.SYS_PSELECT6,
	unix.SYS_FUTEX, unix.SYS_SCHED_YIELD, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_GETTIMEOFDAY, unix.SYS_RESTART_SYSCALL,
	unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EVENTFD2,
	unix.SYS_MUNMAP, unix.SYS_MADVISE, unix.SYS_MINCORE, unix.SYS_BRK,
	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK,
	unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_GETRUSAGE, unix.SYS_GETRANDOM, unix.SYS_SCHED_GETAFFINITY,
	unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ, unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
}

// rule allows a call whose argument passes; the kernel looks at the low 32 bits of every argument that is tested here, and so does the filter.
type rule struct {
	call, arg uint32 // the argument counts from 0
	mask      uint32 // of its bits that matter; 0 = all
	want      uint32 // what they must be
}

// refusedCalls are answered with EACCES: esbuild looks for the files of a project and for a terminal, and takes it well that there are none.
var refusedCalls = []uint32{unix.SYS_IOCTL, unix.SYS_OPENAT, unix.SYS_NEWFSTATAT, unix.SYS_GETCWD, unix.SYS_READLINKAT}

// argumentRules are the calls that are allowed for some arguments only. All rules of one call must pass.
func argumentRules() []rule {
	self := uint32(os.Getpid())
	return []rule{
		// Memory that can be executed is not made.
		{unix.SYS_MMAP, 2, unix.PROT_EXEC, 0},
		{unix.SYS_MPROTECT, 2, unix.PROT_EXEC, 0},
		// Threads only.
		{unix.SYS_CLONE, 0, filterThreads | filterSpaces, filterThreads},
		// The runtime preempts its own threads by signal; no other process gets one.
		{unix.SYS_TGKILL, 0, 0, self},
		// The watchdog moves RLIMIT_DATA with every run.
		{unix.SYS_PRLIMIT64, 0, 0, 0},
		{unix.SYS_PRLIMIT64, 1, 0, unix.RLIMIT_DATA},
		// The runtime names its memory.
		{unix.SYS_PRCTL, 0, 0, unix.PR_SET_VMA},
	}
}

// filter assembles the program: what is not allowed kills the process.
func filter(arch uint32, calls []uint32, rules []rule) ([]unix.SockFilter, error) {
	allow, kill := bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}, bpf.RetConstant{Val: unix.SECCOMP_RET_KILL_PROCESS}
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offsetArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: arch, SkipTrue: 1},
		kill,
		bpf.LoadAbsolute{Off: offsetCall, Size: 4},
	}
	for _, call := range calls {
		program = append(program, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: call, SkipTrue: 1}, allow)
	}
	for _, call := range refusedCalls {
		program = append(program, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: call, SkipTrue: 1}, refuseWith(unix.EACCES))
	}
	// clone3 hides its flags in memory, where a filter cannot look: glibc falls back to clone.
	program = append(program, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SYS_CLONE3, SkipTrue: 1}, refuseWith(unix.ENOSYS))
	for i := 0; i < len(rules); {
		first := i
		var tests []bpf.Instruction
		for ; i < len(rules) && rules[i].call == rules[first].call; i++ {
			r := rules[i]
			tests = append(tests, bpf.LoadAbsolute{Off: offsetArgs + sizeArg*r.arg, Size: 4})
			if r.mask != 0 {
				tests = append(tests, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: r.mask})
			}
			tests = append(tests, bpf.JumpIf{Cond: bpf.JumpEqual, Val: r.want, SkipTrue: 1}, kill)
		}
		tests = append(tests, allow)
		program = append(program, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: rules[first].call, SkipTrue: uint8(len(tests))})
		program = append(program, tests...)
	}
	raw, err := bpf.Assemble(append(program, kill))
	if err != nil {
		return nil, fmt.Errorf("assemble filter: %w", err)
	}
	code := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		code[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return code, nil
}

// refuseWith answers a call with an error number.
func refuseWith(errno syscall.Errno) bpf.RetConstant {
	return bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(errno)}
}

// lockSystemCalls puts the filter on all threads. It needs no_new_privs on the calling one, and gives it to the others.
func lockSystemCalls() error {
	if auditArch == 0 {
		return errors.New("there is no filter for " + runtime.GOARCH)
	}
	code, err := filter(auditArch, append(archCalls, allowedCalls...), argumentRules())
	if err != nil {
		return err
	}
	program := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program))) //nolint:gosec // the kernel takes an address
	runtime.KeepAlive(code)
	switch {
	case errno != 0:
		return fmt.Errorf("set filter: %w", errno)
	case thread != 0:
		return fmt.Errorf("set filter: thread %d has another", thread)
	}
	return nil
}
