// Package socket is the stream socket between the server and a sandbox child, who answer each other within microseconds.
//
// A reader first waits unseen: the Go runtime takes the wait for computing. So nothing is parked, no poller and no watcher is woken, and the thread that
// waits is the one that goes on. For the runtime it is as if the other process's work were done here. What takes longer is waited for the ordinary way.
package socket

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// bufferSize is how much is read at once, in bytes.
const bufferSize = 32 << 10

// forever is a time that no wait reaches.
const forever = time.Duration(1<<63 - 1)

// Socket is one end. One goroutine reads at a time, any may write; Close and Shutdown may be called from any.
type Socket struct {
	file     *os.File // counts who uses the descriptor: it is not closed, nor its number used again, beneath a system call
	raw      syscall.RawConn
	patience time.Duration // how long a wait is unseen; the reader's
	timed    bool          // a read waits for patience by itself: the descriptor has a timeout
	plain    bool          // likewise a write
	vain     bool          // the last wait was longer than patience: the next one is seen from its start

	buf         [bufferSize]byte
	first, last int // what was read and not yet taken: buf[first:last]

	// The arguments and results of the functions below, which are made once.
	into          []byte
	within        time.Duration
	count         int
	err           error
	receive, send func(fd uintptr) bool

	writing sync.Mutex // of the arguments and results of send
	out     []byte
	sent    int
	failed  error
	block   bool
}

// New makes a socket of a descriptor that blocks, which is the socket's from then on. A wait is unseen for patience; the kernel may make a few milliseconds
// more of it.
func New(fd int, patience time.Duration) (*Socket, error) {
	s := &Socket{file: os.NewFile(uintptr(fd), "socket"), patience: patience}
	if s.file == nil {
		return nil, fmt.Errorf("open socket: %w", os.ErrInvalid)
	}
	var err error
	if s.raw, err = s.file.SyscallConn(); err != nil {
		return nil, fmt.Errorf("open socket: %w", err)
	}
	s.receive, s.send = s.receiveOn, s.sendOn
	s.timed = timeout(fd, unix.SO_RCVTIMEO, patience)
	return s, nil
}

// Plain makes writes wait unseen too, by write(2) alone, which is for a process that has nothing else to do and may call little. WriteNow is not for it.
func (s *Socket) Plain() {
	err := s.raw.Control(func(fd uintptr) { s.plain = timeout(int(fd), unix.SO_SNDTIMEO, s.patience) })
	s.plain = s.plain && err == nil
}

// SetPatience changes how long a wait is unseen. It is the reader's to call: 0 where someone else's work here is what it waits for.
func (s *Socket) SetPatience(d time.Duration) { s.patience = d }

// Buffered gives the number of bytes that can be read without a system call.
func (s *Socket) Buffered() int { return s.last - s.first }

// Wait reports whether something can be read within d, the end of the socket too.
func (s *Socket) Wait(d time.Duration) (bool, error) {
	if s.Buffered() > 0 {
		return true, nil
	}
	n, err := s.fill(s.buf[:], d)
	s.first, s.last = 0, n
	if errors.Is(err, io.EOF) {
		return true, nil // the next read says so
	}
	return n > 0, err
}

// Read implements io.Reader. It blocks until something is there.
func (s *Socket) Read(p []byte) (int, error) {
	if s.Buffered() == 0 {
		if len(p) >= len(s.buf) {
			return s.fill(p, forever)
		}
		n, err := s.fill(s.buf[:], forever)
		s.first, s.last = 0, n
		if err != nil {
			return 0, err
		}
	}
	n := copy(p, s.buf[s.first:s.last])
	s.first += n
	return n, nil
}

// fill reads what is there within d into p: nothing where the time is over.
func (s *Socket) fill(p []byte, d time.Duration) (int, error) {
	s.into, s.within = p, d
	if err := s.raw.Read(s.receive); err != nil {
		return 0, err //nolint:wrapcheck // os.ErrClosed with its operation
	}
	s.into = nil
	switch {
	case s.err != nil:
		return 0, fmt.Errorf("read socket: %w", s.err)
	case s.count < 0:
		return 0, nil
	case s.count == 0:
		return 0, io.EOF
	}
	return s.count, nil
}

// receiveOn is fill on the descriptor: count is what was read, 0 at the end and -1 where nothing came.
func (s *Socket) receiveOn(descriptor uintptr) bool {
	fd := int(descriptor)
	s.count, s.err = -1, nil
	began := time.Now()
	if s.patience > 0 && (s.plain || !s.vain) && (s.timed && s.within >= s.patience || pollUnseen(fd, min(s.patience, s.within))) && s.read(fd) {
		return true
	}
	defer func() { s.vain = time.Since(began) > s.patience }()
	for {
		ms := -1
		if s.within < forever { // rounded up, so that a wait never ends before its time
			ms = max(0, int((s.within-time.Since(began)+time.Millisecond-1)/time.Millisecond))
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, ms)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			s.err = err
			return true
		case n == 0:
			return true
		case s.read(fd):
			return true
		}
	}
}

// read reads what is there; false says that nothing was.
func (s *Socket) read(fd int) bool {
	n, err := readUnseen(fd, s.into)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return false
	}
	s.count, s.err = n, err
	return true
}

// Write implements io.Writer.
func (s *Socket) Write(p []byte) (int, error) { return s.write(p, true) }

// WriteNow writes what the other end has room for now, and does not wait.
func (s *Socket) WriteNow(p []byte) (int, error) { return s.write(p, false) }

func (s *Socket) write(p []byte, block bool) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.out, s.block = p, block
	if err := s.raw.Write(s.send); err != nil {
		return 0, err //nolint:wrapcheck // os.ErrClosed with its operation
	}
	s.out = nil
	if s.failed != nil {
		return s.sent, fmt.Errorf("write socket: %w", s.failed)
	}
	return s.sent, nil
}

// sendOn is write on the descriptor.
func (s *Socket) sendOn(descriptor uintptr) bool {
	fd := int(descriptor)
	s.sent, s.failed = 0, nil
	for s.sent < len(s.out) {
		n, err := s.writeSome(fd, s.out[s.sent:])
		switch {
		case err == nil:
			s.sent += n
			continue
		case errors.Is(err, unix.EINTR):
			continue
		case !errors.Is(err, unix.EAGAIN):
			s.failed = err
			return true
		case !s.block:
			return true
		}
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1); err != nil && !errors.Is(err, unix.EINTR) {
			s.failed = err
			return true
		}
	}
	return true
}

func (s *Socket) writeSome(fd int, p []byte) (int, error) {
	if s.plain {
		return writeUnseen(fd, p)
	}
	return sendUnseen(fd, p)
}

// Shutdown ends the socket for both ends: who reads or writes comes back.
func (s *Socket) Shutdown() {
	_ = s.raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) })
}

// Close gives the descriptor back as soon as nobody uses it any more.
func (s *Socket) Close() { _ = s.file.Close() }
