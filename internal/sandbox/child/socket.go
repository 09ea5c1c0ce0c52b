package child

import (
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a child waits for the server with the Go runtime unaware of it. A busy server is back within it: the runtime's own watcher of
// blocked threads then has nothing to do, nor to be woken for. No other goroutine runs meanwhile, and idle children wait the ordinary way.
const patience = 5 * time.Millisecond

// socket is the child's end of the socket, for one goroutine that reads and one that writes. It costs no goroutine and no poller.
type socket struct {
	fd    int
	ready bool // something can be read: wait has seen it
}

// Read implements io.Reader. It blocks until something is there.
func (s *socket) Read(p []byte) (int, error) {
	read := unix.Read
	if s.ready || s.waitUnseen(patience) {
		read, s.ready = readUnseen, false
	}
	for {
		n, err := read(s.fd, p)
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

// Write implements io.Writer.
func (s *socket) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n, err := unix.Write(s.fd, rest)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return len(p) - len(rest), fmt.Errorf("write socket: %w", err)
		}
		rest = rest[n:]
	}
	return len(p), nil
}

// wait reports whether something can be read within d.
func (s *socket) wait(d time.Duration) (bool, error) {
	if s.ready = s.ready || s.waitUnseen(min(d, patience)); s.ready {
		return true, nil
	}
	deadline := time.Now().Add(d - min(d, patience))
	for {
		// Rounded up, so that a wait never ends before its time.
		ms := max(0, int((time.Until(deadline)+time.Millisecond-1)/time.Millisecond))
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}, ms)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return false, fmt.Errorf("poll socket: %w", err)
		default:
			s.ready = n > 0
			return s.ready, nil
		}
	}
}
