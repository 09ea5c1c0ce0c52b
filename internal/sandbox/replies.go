package sandbox

import (
	"errors"
	"sync"

	"github.com/picloud/picloud/internal/sandbox/frame"
)

// maxReplies bounds the replies that a child has not read, in frames: it gets one for each call, and asks once for its program.
const maxReplies = 1 << 20

// replies is the way back to the child. Putting never blocks: a child that writes and does not read would else stop the server from reading, and both
// would wait for each other.
type replies struct {
	child *process

	mu      sync.Mutex
	queue   [][]byte
	writing bool
	closed  bool
}

// put queues a frame; what comes after close is dropped.
func (r *replies) put(f frame.Frame) error {
	wire := frame.Append(nil, f)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	if len(r.queue) >= maxReplies {
		return errors.New("too many replies are waiting")
	}
	r.queue = append(r.queue, wire)
	if !r.writing {
		r.writing = true
		go r.write()
	}
	return nil
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
		r.queue = nil
		r.mu.Unlock()
		for _, wire := range queue {
			if _, err := r.child.conn.Write(wire); err != nil {
				return
			}
		}
	}
}

// close drops what is queued.
func (r *replies) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed, r.queue = true, nil
}
