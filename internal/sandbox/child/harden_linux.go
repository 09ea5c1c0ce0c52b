package child

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/picloud/picloud/internal/sandbox/frame"
)

// maxStack is the largest Go stack, in bytes: a script recurses on it through built-ins (JSON.parse of a deep text), and its end is the child's.
const maxStack = 64 << 20

// maxFiles is the largest file descriptor plus one: three standard ones and what the Go runtime opens for itself.
const maxFiles = 16

// harden takes from the process all that it will not need, before it has seen anything untrusted. What the machine refuses is given back as warnings.
func harden(setup frame.Setup) (memory, []string) {
	runtime.LockOSThread() // no_new_privs is a thread's, until the filter gives it to all
	defer runtime.UnlockOSThread()
	var warnings []string
	warn := func(what string, err error) {
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("%s: %v", what, err))
		}
	}
	// The collector is off until here (the server starts children with GOGC=off): it would only walk the packages' own tables.
	debug.SetGCPercent(GCPercent)
	runtime.MemProfileRate = 0 // nobody can read that profile
	debug.SetTraceback("none")
	debug.SetMaxStack(maxStack)
	// One thread of Go: the watchdog preempts the script within 10 ms.
	runtime.GOMAXPROCS(1)

	base, err := dataBytes()
	warn("read memory of the process", err)
	m := memory{
		baseData: base,
		baseHeap: readMetric(heapObjects),
		baseAll:  readMetric("/memory/classes/total:bytes") - readMetric("/memory/classes/heap/released:bytes"),
	}
	if err == nil {
		hard := uint64(base + hardBytes(setup.MemoryMB))
		m.setData = func(n int64) {
			// Fails only for a soft limit over the hard one: then the hard one holds.
			_ = unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: min(uint64(n), hard), Max: hard})
		}
		warn("limit memory", unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: hard, Max: hard}))
	}
	warn("drop root", dropRoot())
	warn("limit files", unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: maxFiles, Max: maxFiles}))
	warn("limit file size", unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{}))
	warn("limit core dumps", unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}))
	warn("set no_new_privs", unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	warn("set not dumpable", unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0))
	// In this order: both need no_new_privs, and the filter forbids what landlock calls.
	warn("landlock", lockFiles())
	warn("seccomp", lockSystemCalls())
	return m, warnings
}

// dataBytes gives the private writable memory of the process, which is what RLIMIT_DATA counts.
func dataBytes() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("read status: %w", err)
	}
	for line := range bytes.Lines(status) {
		fields := bytes.Fields(line)
		if len(fields) == 3 && string(fields[0]) == "VmData:" {
			kb, err := strconv.ParseInt(string(fields[1]), 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("read status: no VmData")
}
