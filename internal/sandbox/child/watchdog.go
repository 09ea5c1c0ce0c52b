package child

import (
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/fault"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

const (
	// tick is how often the watchdog looks. Runs shorter than it never pay for it.
	tick = 5 * time.Millisecond
	// stuckAfter is how long after its interruption a run may still hold the thread; built-ins cannot be interrupted.
	stuckAfter = 100 * time.Millisecond
)

// watchdog ends what runs too long or takes too much: first by interrupt, and where that does not help by ending the process, its failure reported.
type watchdog struct {
	conn   *conn
	memory memory

	mu        sync.Mutex
	timer     *time.Timer
	active    bool
	limits    picloud.Limits
	started   time.Time
	cpuBase   time.Duration
	cpuLast   time.Duration // when the run before ended; 0 = unknown
	interrupt func(*picloud.ScriptError)
	verdict   *picloud.ScriptError
	since     time.Time // of the verdict
	report    reporter
}

func newWatchdog(c *conn, m memory) *watchdog {
	w := &watchdog{conn: c, memory: m}
	w.timer = time.AfterFunc(time.Hour, w.look)
	w.timer.Stop()
	return w
}

// reporter makes the frame that reports a failure and the CPU time.
type reporter func(*picloud.ScriptError, time.Duration) frame.Frame

// begin starts the clocks. interrupt is called once, from another goroutine, when a limit is hit; report is called when that did not help.
func (w *watchdog) begin(limits picloud.Limits, report reporter, interrupt func(*picloud.ScriptError)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.memory.bound(limits.MemoryMB)
	w.active, w.limits, w.report, w.interrupt, w.verdict = true, limits, report, interrupt, nil
	w.started, w.cpuBase = time.Now(), w.cpuLast // in between there was only the reading of what is asked
	if w.cpuBase == 0 {
		w.cpuBase = cpuTime()
	}
	w.timer.Reset(min(tick, limits.Wall))
}

// end stops the clocks and gives the limit that was hit, if any, and the CPU time.
func (w *watchdog) end() (*picloud.ScriptError, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.active, w.interrupt = false, nil
	w.timer.Stop()
	w.cpuLast = cpuTime()
	return w.verdict, w.cpuLast - w.cpuBase
}

// rest says that the process does something between two runs that is none's.
func (w *watchdog) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cpuLast = 0
}

// left gives the time until the wall limit.
func (w *watchdog) left() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.limits.Wall - time.Since(w.started)
}

// fail ends the run with a failure found elsewhere, unless there is one already.
func (w *watchdog) fail(e *picloud.ScriptError) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fell(e)
}

// fell sets the verdict. w.mu is held.
func (w *watchdog) fell(e *picloud.ScriptError) {
	if w.verdict == nil && w.active {
		w.verdict, w.since = e, time.Now()
		w.interrupt(e)
	}
}

// failure gives the verdict so far.
func (w *watchdog) failure() *picloud.ScriptError {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.verdict
}

func (w *watchdog) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.active {
		return
	}
	// Logs leave the process while the script computes, so that they are not lost with it.
	_ = w.conn.flush()
	switch {
	case w.verdict != nil:
		if time.Since(w.since) > stuckAfter {
			w.giveUp()
		}
	case time.Since(w.started) > w.limits.Wall:
		w.fell(fault.Wall(w.limits))
	case cpuTime()-w.cpuBase > w.limits.CPU:
		w.fell(fault.CPU(w.limits))
	case w.overMemory():
		w.fell(fault.Memory(w.limits))
	}
	w.timer.Reset(tick)
}

// overMemory reports whether what the script holds is over its limit; garbage does not count.
func (w *watchdog) overMemory() bool {
	limit := int64(w.limits.MemoryMB) << 20
	if w.memory.heap() <= limit {
		return false
	}
	runtime.GC()
	return w.memory.heap() > limit
}

// giveUp reports the verdict and ends the process, since its thread cannot be had back. w.mu is held.
func (w *watchdog) giveUp() {
	w.conn.send(w.report(w.verdict, cpuTime()-w.cpuBase))
	_ = w.conn.flush()
	os.Exit(exitStuck)
}

// cpuTime gives the CPU time of the process, the collector's included.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
