package pgserver

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// child is a started process: alone in its process group, and shut down by the kernel when this process dies.
type child struct {
	pid    int
	exited chan struct{}
	said   *tail
}

// startChild starts cmd. The parent-death signal of Linux is tied to the thread that forked, not to the process: that
// thread is locked and kept until the child has ended.
func startChild(cmd *exec.Cmd) (*child, error) {
	said := &tail{limit: 16 << 10}
	cmd.Stdout, cmd.Stderr = said, said
	c := &child{exited: make(chan struct{}), said: said}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		c.pid = cmd.Process.Pid
		started <- nil
		_ = cmd.Wait() // the exit status of a server that was told to stop says nothing; its log does
		close(c.exited)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

// signal sends sig to the process itself, not to its group: the postmaster decides what its backends do.
func (c *child) signal(sig syscall.Signal) {
	select {
	case <-c.exited: // the pid may be someone else's by now
	default:
		if p, err := os.FindProcess(c.pid); err == nil {
			_ = p.Signal(sig)
		}
	}
}

// output is the end of what the process wrote before its log collector took over.
func (c *child) output() string { return c.said.String() }

// tail keeps the last limit bytes written to it.
type tail struct {
	mu    sync.Mutex
	limit int
	buf   []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - t.limit; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
