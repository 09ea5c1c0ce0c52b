package child

import (
	"io"
	"sync"
	"time"

	"github.com/picloud/picloud/internal/sandbox/frame"
)

// flushAt is how much output is gathered before it is written in any case.
const flushAt = 32 << 10

// wire is what frames travel on: the socket.
type wire interface {
	io.ReadWriter
	// Wait reports whether something can be read within d.
	Wait(d time.Duration) (bool, error)
}

// conn is the child's way to the server. Reading is the main loop's alone; writing is shared with the watchdog.
type conn struct {
	wire   wire
	frames *frame.Reader

	mu  sync.Mutex
	out []byte
	err error
}

func newConn(w wire) *conn {
	return &conn{wire: w, frames: frame.NewReader(w, maxHead, maxBody)}
}

// next blocks until a frame is there.
func (c *conn) next() (frame.Frame, error) { return c.frames.Next() }

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
	if len(c.out) > 0 && c.err == nil {
		_, c.err = c.wire.Write(c.out)
	}
	if cap(c.out) > 4*flushAt {
		c.out = nil
	}
	c.out = c.out[:0]
}
