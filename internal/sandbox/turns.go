package sandbox

import (
	"context"
	"slices"
	"sync"
)

// turns lets a number of runs go at a time. Apps whose runs wait take turns, so that a run waits for one of every other app and not for all that another app has waiting; the runs of
// one app go in the order of their coming.
type turns struct {
	mu      sync.Mutex
	size    int
	free    int
	waiting map[string][]chan struct{} // by app; a channel is closed when its turn has come
	order   []string                   // the apps of waiting, the next one first
}

func newTurns(size int) *turns {
	return &turns{size: size, free: size, waiting: map[string][]chan struct{}{}}
}

// take waits for a turn of the app, until ctx ends: then the error is its cause. give must follow.
func (t *turns) take(ctx context.Context, app string) error {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	if len(t.waiting[app]) == 0 {
		t.order = append(t.order, app)
	}
	t.waiting[app] = append(t.waiting[app], turn)
	t.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	queue := t.waiting[app]
	i := slices.Index(queue, turn)
	if i >= 0 {
		t.keep(app, slices.Delete(queue, i, i+1))
	}
	t.mu.Unlock()
	if i < 0 { // the turn came at the same moment: it is somebody else's
		t.give()
	}
	return context.Cause(ctx)
}

// give ends a turn: the next one has it.
func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.order) == 0 {
		t.free++
		return
	}
	app := t.order[0]
	t.order = t.order[1:]
	queue := t.waiting[app]
	close(queue[0])
	if len(queue) > 1 {
		t.order = append(t.order, app)
		t.waiting[app] = queue[1:]
		return
	}
	delete(t.waiting, app)
}

// keep stores what an app has waiting after one of it has left. The caller holds mu.
func (t *turns) keep(app string, queue []chan struct{}) {
	if len(queue) > 0 {
		t.waiting[app] = queue
		return
	}
	delete(t.waiting, app)
	t.order = slices.DeleteFunc(t.order, func(a string) bool { return a == app })
}

// taken gives how many turns are taken.
func (t *turns) taken() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.size - t.free
}
