package child

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/picloud/picloud/internal/sandbox/frame"
)

// The test binary is its own child, which locks itself down and then tries one act.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "act" {
		act(os.Args[2])
	}
	os.Exit(m.Run())
}

// What an act that was not stopped ends with.
const (
	exitRefused = 40 // it was answered with an error
	exitDone    = 41
)

// parent is the process that started this one; it is asked for ahead of the filter, which knows no such question.
var parent = os.Getppid()

// acts are what a locked down child tries, and how that must end: "" = killed by the filter, else the text of the refusal.
var acts = map[string]struct {
	refusal string
	try     func() error
}{
	"open a file":              {"permission denied", func() error { _, err := os.ReadFile("/etc/passwd"); return err }},
	"open its own memory":      {"permission denied", func() error { _, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0); return err }},
	"read the server's secret": {"permission denied", func() error { _, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", parent)); return err }},
	"make a file":              {"permission denied", func() error { return os.WriteFile("picloud-made-this", nil, 0o600) }},
	"open the old way":         {"", func() error { return raw(openOldWay, pointer("/etc/passwd\x00"), 0) }},
	"open by openat2":          {"", func() error { return raw(unix.SYS_OPENAT2, pointer("/etc/passwd\x00"), 0) }},
	"make a folder":            {"", func() error { return os.Mkdir("picloud-made-this", 0o700) }},
	"remove a file":            {"", func() error { return os.Remove("nothing") }},
	"make a TCP socket":        {"", func() error { _, err := net.Dial("tcp", "127.0.0.1:1"); return err }},
	"make a UDP socket":        {"", func() error { _, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0); return err }},
	"make a unix socket":       {"", func() error { _, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err }},
	"make a netlink socket":    {"", func() error { _, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, 0); return err }},
	"connect the socket":       {"", func() error { return unix.Connect(0, &unix.SockaddrUnix{Name: "/x"}) }},
	"pass a descriptor":        {"", func() error { return unix.Sendmsg(0, []byte{0}, unix.UnixRights(0), nil, 0) }},
	"start a program":          {"", func() error { _, err := syscall.ForkExec("/bin/true", []string{"true"}, nil); return err }},
	"become a program":         {"", func() error { return syscall.Exec("/bin/true", []string{"true"}, nil) }},
	"become a program by fd":   {"", func() error { return raw(unix.SYS_EXECVEAT, 0, 0) }},
	"fork":                     {"", func() error { return raw(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0) }},
	"fork in a new namespace":  {"", func() error { return raw(unix.SYS_CLONE, uintptr(unix.CLONE_NEWUSER|unix.SIGCHLD), 0) }},
	"fork by clone3":           {"function not implemented", func() error { return raw(unix.SYS_CLONE3, 0, 0) }},
	"leave its namespace":      {"", func() error { return unix.Unshare(unix.CLONE_NEWUSER) }},
	"kill the server":          {"", func() error { return syscall.Kill(parent, 0) }},
	"kill everyone":            {"", func() error { return syscall.Kill(-1, 0) }},
	"signal a server's thread": {"", func() error { return unix.Tgkill(parent, parent, 0) }},
	"trace the server":         {"", func() error { return unix.PtraceAttach(parent) }},
	"read the server's memory": {"", func() error { _, err := unix.ProcessVMReadv(parent, nil, nil, 0); return err }},
	"open the server's files":  {"", func() error { _, err := unix.PidfdOpen(parent, 0); return err }},
	"executable memory": {"", func() error {
		_, err := unix.Mmap(-1, 0, 4096, unix.PROT_EXEC, unix.MAP_ANON|unix.MAP_PRIVATE)
		return err
	}},
	"more memory than allowed": {"", func() error {
		return unix.Prlimit(parent, unix.RLIMIT_DATA, nil, &unix.Rlimit{})
	}},
	"more files":           {"", func() error { return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1024, Max: 1024}) }},
	"be dumpable":          {"", func() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) }},
	"become root":          {"", func() error { return raw(unix.SYS_SETUID, 0, 0) }},
	"change the root":      {"", func() error { return unix.Chroot("/") }},
	"mount":                {"", func() error { return unix.Mount("none", "/", "tmpfs", 0, "") }},
	"load a bpf program":   {"", func() error { return raw(unix.SYS_BPF, 0, 0) }},
	"watch performance":    {"", func() error { return raw(unix.SYS_PERF_EVENT_OPEN, 0, 0) }},
	"use io_uring":         {"", func() error { return raw(unix.SYS_IO_URING_SETUP, 1, 0) }},
	"use the keyring":      {"", func() error { return raw(unix.SYS_ADD_KEY, 0, 0) }},
	"make memory files":    {"", func() error { _, err := unix.MemfdCreate("x", 0); return err }},
	"set another filter":   {"", func() error { return raw(unix.SYS_SECCOMP, 0, 0) }},
	"reboot":               {"", func() error { return unix.Reboot(0) }},
	"set the clock":        {"", func() error { return unix.Settimeofday(&unix.Timeval{}) }},
	"name of the machine":  {"", func() error { return unix.Uname(&unix.Utsname{}) }},
	"call of another ABI":  {"", func() error { return raw(0x40000000|unix.SYS_GETPID, 0, 0) }},
	"another thread's act": {"", onOtherThreads},
}

func raw(number, first, second uintptr) error {
	if _, _, errno := unix.Syscall6(number, first, second, 0, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

func pointer(s string) uintptr { return uintptr(unsafe.Pointer(unsafe.StringData(s))) }

// onOtherThreads tries on every one of some threads: the layers must be on all.
func onOtherThreads() error {
	for range 8 {
		go func() {
			runtime.LockOSThread()
			_, _ = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			os.Exit(exitDone)
		}()
	}
	select {} // until one of them ends the process
}

// landlocked are acts that landlock alone must refuse.
var landlocked = map[string]func() error{
	"landlock: open a file":       func() error { _, err := os.ReadFile("/etc/passwd"); return err },
	"landlock: make a file":       func() error { return os.WriteFile("picloud-made-this", nil, 0o600) },
	"landlock: list a folder":     func() error { _, err := os.ReadDir("/"); return err },
	"landlock: start a program":   func() error { return syscall.Exec("/bin/true", []string{"true"}, nil) },
	"landlock: connect":           func() error { _, err := net.Dial("tcp4", "127.0.0.1:9"); return err },
	"landlock: on another thread": onLandlockedThread,
}

func onLandlockedThread() error {
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // with the test's own thread held, this is another one
		_, err := os.ReadFile("/etc/passwd")
		failed <- err
	}()
	return <-failed
}

// act ends the process: by the kernel's hand, or with how the act went.
func act(name string) {
	runtime.LockOSThread()
	try := acts[name].try
	if f, ok := landlocked[name]; ok {
		try = f
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			panic(err)
		}
		if err := lockFiles(); err != nil {
			panic(err)
		}
	} else if _, warnings := harden(frame.Setup{MemoryMB: 256}); len(warnings) > 0 {
		panic(warnings)
	}
	if err := try(); err != nil {
		_, _ = os.Stderr.WriteString(err.Error())
		os.Exit(exitRefused)
	}
	os.Exit(exitDone)
}

func attempt(t *testing.T, name string) (*os.ProcessState, string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "act", name)
	var stderr bytes.Buffer
	cmd.Stderr, cmd.Env, cmd.Dir = &stderr, []string{"GOTRACEBACK=none"}, t.TempDir()
	err = cmd.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		require.NoError(t, err)
	}
	return cmd.ProcessState, stderr.String()
}

func TestForbiddenActsAreStopped(t *testing.T) {
	t.Parallel()
	for name, c := range acts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state, said := attempt(t, name)
			status := state.Sys().(syscall.WaitStatus)
			if c.refusal != "" {
				require.Equal(t, exitRefused, status.ExitStatus(), "%s: %s", state, said)
				require.Contains(t, said, c.refusal)
				return
			}
			require.True(t, status.Signaled(), "%s: %s", state, said)
			require.Equal(t, syscall.SIGSYS, status.Signal(), said)
		})
	}
}

func TestLandlockAloneRefuses(t *testing.T) {
	t.Parallel()
	for name := range landlocked {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state, said := attempt(t, name)
			require.Equal(t, exitRefused, state.ExitCode(), "%s: %s", state, said)
			require.Contains(t, said, "permission denied")
		})
	}
}

func TestFilterIsForEveryMachine(t *testing.T) {
	t.Parallel()
	code, err := filter(auditArch, append(archCalls, allowedCalls...), argumentRules())
	require.NoError(t, err)
	require.Less(t, len(code), 4096, "the kernel's limit")
	require.Equal(t, uint32(unix.SECCOMP_RET_KILL_PROCESS), code[len(code)-1].K)
	require.NotContains(t, strings.Fields(fmt.Sprint(allowedCalls)), strconv.Itoa(unix.SYS_EXECVE))
}
