// Package child is what runs in a sandbox child: one process that compiles and runs untrusted code, one thing at a time, and speaks frames on its
// standard input. It is a single loop; the only other goroutine that matters is the watchdog's.
package child

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/picloud/picloud/internal/sandbox/frame"
	"github.com/picloud/picloud/internal/sandbox/socket"
)

// The exit codes of a child, beside the Go runtime's own.
const (
	exitOK       = 0 // the server closed the socket
	exitProtocol = 3 // the server said something that makes no sense
	exitStuck    = 4 // a run could not be interrupted; its end was reported before
)

// What the server may send at most, in bytes. The server is trusted: these bounds only keep an error from becoming an allocation.
const (
	maxHead = 8 << 20
	maxBody = 1 << 30
)

// Main serves frames on standard input until the server closes it, and never returns. The server starts it with an empty environment.
func Main() {
	os.Exit(serve(0))
}

// patience is how long a child waits for the server with the Go runtime unaware of it. A busy server is back within it: the runtime's own watcher of
// blocked threads then has nothing to do, nor to be woken for. No other goroutine runs meanwhile, and idle children wait the ordinary way.
const patience = 5 * time.Millisecond

// server is the state of a child between runs.
type server struct {
	conn     *conn
	programs *programs
	memory   memory
	watch    *watchdog
	lastCall uint32 // ids of calls grow through the whole life: a late reply of an earlier run names none of a later one
}

func serve(fd int) int {
	wire, err := socket.New(fd, patience)
	if err != nil {
		return refuse("%v", err)
	}
	wire.Plain()
	c := newConn(wire)
	first, err := c.next()
	if errors.Is(err, io.EOF) {
		return exitOK
	}
	var setup frame.Setup
	if err != nil || first.Kind != frame.KindSetup || frame.Decode(first, &setup) != nil {
		return refuse("the first frame is no setup: %v", err)
	}
	mem, warnings := harden(setup)
	s := &server{conn: c, programs: newPrograms(), memory: mem}
	s.watch = newWatchdog(c, mem)
	c.send(frame.New(frame.KindHello, 0, frame.Hello{Warnings: warnings}, nil))
	for used := false; ; used = true {
		if err := c.flush(); err != nil {
			return exitOK
		}
		if used {
			if readable, err := wire.Wait(idleAfter); err == nil && !readable {
				debug.FreeOSMemory()
				s.watch.rest()
			}
		}
		f, err := c.next()
		if errors.Is(err, io.EOF) {
			return exitOK
		}
		if err != nil {
			return refuse("read frame: %v", err)
		}
		switch f.Kind {
		case frame.KindRun:
			err = s.run(f)
		case frame.KindCompile:
			err = s.compile(f)
		case frame.KindReply: // of a call that its run did not wait for
		default:
			err = fmt.Errorf("frame of kind %d out of turn", f.Kind)
		}
		if err != nil {
			return refuse("%v", err)
		}
	}
}

// refuse leaves a last word on standard error.
func refuse(format string, args ...any) int {
	fmt.Fprintf(os.Stderr, "sandbox child: "+format+"\n", args...)
	return exitProtocol
}
