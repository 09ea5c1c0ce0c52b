package sandbox

import (
	"errors"
	"sync"

	"github.com/picloud/picloud/internal/sandbox/frame"
)

// maxReplies bounds the replies that a child has not read, in frames: it gets one for each call, and asks once for its program.
const maxReplies = 1 << 20

// replies is the way back to the child. Nothing here blocks: a child that writes and does not read would else stop the server from reading, and both
// would wait for each other.
type replies struct {
	child *process

	mu      sync.Mutex
	queue   []byte // whole frames
	frames  int    // in the queue
	writing bool   // a goroutine writes, since the child's socket was full
	closed  bool
}

// put queues a frame; flush sends it. What comes after close is dropped.
func (r *replies) put(f frame.Frame) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	if r.frames >= maxReplies {
		return errors.New("too many replies are waiting")
	}
	r.queue = frame.Append(r.queue, f)
	r.frames++
	return nil
}

// flush sends what is queued: at once as much as the child's socket takes, and the rest from a goroutine.
func (r *replies) flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.writing || r.closed || len(r.queue) == 0 {
		return
	}
	n, err := r.child.socket.WriteNow(r.queue)
	switch {
	case err != nil: // the socket has failed: the reader sees its end
		r.queue, r.frames = nil, 0
	case n == len(r.queue):
		r.queue, r.frames = r.queue[:0], 0
	default:
		r.queue, r.writing = r.queue[n:], true
		go r.write()
	}
}

// write writes until nothing is queued. A socket that fails needs no word: the reader sees its end.
func (r *replies) write() {
	for {
		r.mu.Lock()
		if len(r.queue) == 0 || r.closed {
			r.writing = false
			r.mu.Unlock()
			return
		}
		queue := r.queue
		r.queue, r.frames = nil, 0
		r.mu.Unlock()
		if _, err := r.child.socket.Write(queue); err != nil {
			return
		}
	}
}

// close drops what is queued.
func (r *replies) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed, r.queue = true, nil
}
