package dispatch

import (
	"sync"
	"time"
)

// Progress tells starters how what they have started comes on in this process. A starter begins the next firing when the one before has done its work: more at a time would end no sooner, and
// whatever comes next, of another app too, would share the machine with all of it. It is safe for concurrent use.
type Progress struct {
	mu    sync.Mutex
	waits map[string]chan struct{} // by execution id; closed at the end of its work
}

// NewProgress makes a Progress that knows of nothing.
func NewProgress() *Progress { return &Progress{waits: make(map[string]chan struct{})} }

// Worked tells that a piece of the execution's work has ended here: an attempt, a dead letter, a hand-over. It may be told often, and of executions that nobody waits for.
func (p *Progress) Worked(executionID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c, ok := p.waits[executionID]; ok {
		close(c)
		delete(p.waits, executionID)
	}
}

// expect gives what is closed when the execution has worked, and forgets it with done. A nil Progress gives nothing to wait for.
func (p *Progress) expect(executionID string) (worked <-chan struct{}, done func()) {
	if p == nil {
		return nil, func() {}
	}
	c := make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waits[executionID] = c
	return c, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.waits[executionID] == c {
			delete(p.waits, executionID)
		}
	}
}

// longestHold is how long a starter waits for what it has started. What takes longer is a script that waits for others, or runs in another process.
const longestHold = 100 * time.Millisecond

// hold is a starter's patience: all of it while what it starts works here and is soon done, half as much after each one that is not.
type hold struct {
	patience time.Duration
	timer    *time.Timer
}

func newHold() *hold {
	h := &hold{patience: longestHold, timer: time.NewTimer(0)}
	h.timer.Stop()
	return h
}

// until waits for one of both, as long as the patience lasts.
func (h *hold) until(worked, stopped <-chan struct{}) {
	if worked == nil {
		return
	}
	h.timer.Reset(h.patience)
	defer h.timer.Stop()
	select {
	case <-worked:
		h.patience = longestHold
	case <-stopped:
	case <-h.timer.C:
		h.patience /= 2
	}
}
