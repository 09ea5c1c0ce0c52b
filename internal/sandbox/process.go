package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/fault"
	"github.com/picloud/picloud/internal/sandbox/frame"
	"github.com/picloud/picloud/internal/sandbox/socket"
)

// helloWait is how long a new process may take until it is ready; a loaded machine starts a large binary slowly.
const helloWait = 30 * time.Second

// maxHello is the largest head of a Hello, in bytes.
const maxHello = 64 << 10

// patience is how long the server waits for a child with the Go runtime unaware of it: it takes the child's computing for its own. A short script is done
// within it on a busy machine too; after a long one the next wait is the ordinary one.
const patience = 4 * time.Millisecond

// childEnv is all the environment that a child has. The collector stays off until the child is hardened: on the way there it would only walk the tables
// of linked packages (measured on a binary that links Temporal: 33 ms to start with it, 22 ms without).
var childEnv = []string{"GOGC=off", "GOTRACEBACK=none"}

// process is one child process. One goroutine uses it at a time; kill may be called from any.
type process struct {
	cmd      *exec.Cmd
	socket   *socket.Socket
	frames   *frame.Reader // of socket
	stderr   *headBuffer
	dead     chan struct{}                      // closed when the process is gone and its last words are read
	serving  atomic.Pointer[context.CancelFunc] // ends the calls of the run that it serves, when it is gone; nil between runs
	warnings []string

	app  string // the app that it serves; "" = none yet
	runs int
	sent map[programKey]bool // the programs that it was given; it may have dropped some
}

// programKey names a program in a child's cache.
type programKey struct{ sha256, script string }

// starter starts processes from one locked operating system thread, which lives as long as the pool: the kernel kills a child when the thread that
// started it ends (Pdeathsig), not when the process does.
type starter struct {
	requests chan startRequest
}

type startRequest struct {
	cmd  *exec.Cmd
	done chan error
}

func newStarter() *starter {
	s := &starter{requests: make(chan startRequest)}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for r := range s.requests {
			r.done <- r.cmd.Start()
		}
	}()
	return s
}

func (s *starter) start(cmd *exec.Cmd) error {
	r := startRequest{cmd: cmd, done: make(chan error, 1)}
	s.requests <- r
	return <-r.done
}

// close ends the thread; it may be called when no process is left.
func (s *starter) close() { close(s.requests) }

// newProcess starts a child and waits until it is ready.
func newProcess(s *starter, argv []string, folder string, setup frame.Setup) (*process, error) {
	fds, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("make socket pair: %w", err)
	}
	ours, err := socket.New(fds[0], patience)
	theirs := os.NewFile(uintptr(fds[1]), "sandbox child")
	if err != nil {
		_ = theirs.Close()
		return nil, err
	}
	p := &process{
		socket: ours, frames: frame.NewReader(ours, maxHello, 0), stderr: &headBuffer{}, dead: make(chan struct{}), sent: map[programKey]bool{},
	}
	p.cmd = exec.Command(argv[0], argv[1:]...) //nolint:gosec // G204: the program that picloud has found for itself
	p.cmd.Env, p.cmd.Dir, p.cmd.Stdin, p.cmd.Stderr, p.cmd.SysProcAttr = childEnv, folder, theirs, p.stderr, attributes()
	err = s.start(p.cmd)
	_ = theirs.Close() // as long as it is open here, the child's death is no end of the socket
	if err != nil {
		ours.Close()
		return nil, fmt.Errorf("start process: %w", err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.dead)
		if cancel := p.serving.Load(); cancel != nil {
			(*cancel)()
		}
	}()
	if err := p.greet(setup); err != nil {
		p.bury()
		return nil, fmt.Errorf("greet process: %w (its last words: %q)", err, p.stderr.String())
	}
	return p, nil
}

// greet tells the child its setup and waits for its Hello.
func (p *process) greet(setup frame.Setup) error {
	late := time.AfterFunc(helloWait, p.kill)
	defer late.Stop()
	if err := p.send(frame.New(frame.KindSetup, 0, setup, nil)); err != nil {
		return err
	}
	f, err := p.frames.Next()
	if err != nil {
		return err
	}
	var hello frame.Hello
	if f.Kind != frame.KindHello {
		return fmt.Errorf("its first frame is of kind %d", f.Kind)
	}
	if err := frame.Decode(f, &hello); err != nil {
		return err
	}
	p.warnings = hello.Warnings
	return nil
}

// send writes one frame.
func (p *process) send(f frame.Frame) error {
	if _, err := p.socket.Write(frame.Append(nil, f)); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	return nil
}

// kill ends the process at once: who reads from it or writes to it comes back.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	p.socket.Shutdown()
}

// bury ends the process and waits until nothing is left of it. Nobody may read from it.
func (p *process) bury() {
	p.kill()
	<-p.dead
	p.socket.Close()
}

// quiet reports whether the process is there and has said nothing, as between two runs. What it says later belongs to no run: it does not know the next
// one's number. One that has died and is not reaped yet is found when the run is written to it.
func (p *process) quiet() bool {
	select {
	case <-p.dead:
		return false
	default:
		return p.socket.Buffered() == 0
	}
}

// errUndelivered says that a process was gone before it had read what it was asked.
var errUndelivered = errors.New("the process was gone")

// undelivered tells whether an error in the first exchange with a process means that it had not read all of the question: the kernel says so where the
// other end of a socket is closed with something unread in it.
func undelivered(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// asUndelivered gives errUndelivered for an error that means it.
func asUndelivered(err error) error {
	if undelivered(err) {
		return errUndelivered
	}
	return err
}

// autopsy says what a process that is dead died of, in a run with these limits.
func (p *process) autopsy(limits picloud.Limits) *picloud.ScriptError {
	last := p.stderr.Bytes()
	switch {
	case bytes.Contains(last, []byte("stack exceeds")), bytes.Contains(last, []byte("stack overflow")):
		return fault.Stack()
	case bytes.Contains(last, []byte("out of memory")), bytes.Contains(last, []byte("cannot allocate memory")):
		return fault.Memory(limits)
	}
	return fault.Died(p.cmd.ProcessState.String())
}

// headBuffer keeps the first bytes that are written to it: the Go runtime says first what it dies of.
type headBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// maxStderr is how much of a child's standard error is kept.
const maxStderr = 16 << 10

// Write implements io.Writer and never fails.
func (b *headBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if room := maxStderr - b.buf.Len(); room > 0 {
		b.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// Bytes gives what was kept.
func (b *headBuffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.buf.Bytes())
}

// String gives what was kept.
func (b *headBuffer) String() string { return string(b.Bytes()) }

// errPoolClosed says that the pool is closed.
var errPoolClosed = errors.New("sandbox is closed")
