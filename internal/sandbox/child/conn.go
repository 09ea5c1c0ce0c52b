package child

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/picloud/picloud/internal/sandbox/frame"
)

// flushAt is how much output is gathered before it is written in any case.
const flushAt = 32 << 10

// conn is the child's end of the socket. Reading is the main loop's alone, by plain system calls: it costs no goroutine and no poller. Writing is shared
// with the watchdog.
type conn struct {
	fd     int
	buf    *bufio.Reader
	frames *frame.Reader

	mu  sync.Mutex
	out []byte
	err error
}

func newConn(fd int) *conn {
	c := &conn{fd: fd}
	c.buf = bufio.NewReaderSize(fdReader(fd), 64<<10)
	c.frames = frame.NewReader(c.buf, maxHead, maxBody)
	return c
}

// next blocks until a frame is there.
func (c *conn) next() (frame.Frame, error) { return c.frames.Next() }

// wait reports whether something can be read within d.
func (c *conn) wait(d time.Duration) (bool, error) {
	if c.buf.Buffered() > 0 {
		return true, nil
	}
	deadline := time.Now().Add(d)
	for {
		// Rounded up, so that a wait never ends before its time.
		ms := max(0, int((time.Until(deadline)+time.Millisecond-1)/time.Millisecond))
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}, ms)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return false, fmt.Errorf("poll socket: %w", err)
		default:
			return n > 0, nil
		}
	}
}

// send queues a frame; flush writes it.
func (c *conn) send(f frame.Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = frame.Append(c.out, f)
	if len(c.out) >= flushAt {
		c.write()
	}
}

// flush writes what is queued. An error is final: the server is gone.
func (c *conn) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write()
	return c.err
}

// write writes what is queued. c.mu is held.
func (c *conn) write() {
	for rest := c.out; len(rest) > 0 && c.err == nil; {
		n, err := unix.Write(c.fd, rest)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			c.err = fmt.Errorf("write socket: %w", err)
			break
		}
		rest = rest[n:]
	}
	if cap(c.out) > 4*flushAt {
		c.out = nil
	}
	c.out = c.out[:0]
}

// fdReader reads a file descriptor with blocking system calls.
type fdReader int

// Read implements io.Reader.
func (fd fdReader) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(fd), p)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, fmt.Errorf("read socket: %w", err)
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}
