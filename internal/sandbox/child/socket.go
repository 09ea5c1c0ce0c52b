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

// socket is the child's end of the socket, for one goroutine that reads and one that writes. It costs no goroutine and no poller: no call on it blocks but
// polls, so that the Go runtime need not know of reads and writes. One that loses its processor within a call that it knows of wakes its watcher.
type socket struct {
	fd    int
	ready bool // something can be read: wait has seen it
}

// newSocket makes a socket of a file descriptor, which no one else may use.
func newSocket(fd int) (*socket, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("prepare socket: %w", err)
	}
	return &socket{fd: fd}, nil
}

// Read implements io.Reader. It blocks until something is there.
func (s *socket) Read(p []byte) (int, error) {
	for {
		if !s.ready && !s.waitUnseen(patience) {
			if err := s.poll(unix.POLLIN); err != nil {
				return 0, fmt.Errorf("poll socket: %w", err)
			}
		}
		s.ready = false
		n, err := readUnseen(s.fd, p)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
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
		n, err := writeUnseen(s.fd, rest)
		if errors.Is(err, unix.EAGAIN) {
			err = s.poll(unix.POLLOUT)
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return len(p) - len(rest), fmt.Errorf("write socket: %w", err)
		}
		rest = rest[n:]
	}
	return len(p), nil
}

// poll waits for an event of the socket; a signal ends it sooner.
func (s *socket) poll(events int16) error {
	if _, err := unix.Poll([]unix.PollFd{{Fd: int32(s.fd), Events: events}}, -1); err != nil && !errors.Is(err, unix.EINTR) {
		return err //nolint:wrapcheck // the caller says what for
	}
	return nil
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
