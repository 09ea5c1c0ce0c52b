package sandbox

import (
	"context"
	"slices"
	"sync"
)

// turns lets a number of runs go at a time. Apps whose runs wait take turns, so that a run waits for one of every other app and not for all that another app has waiting; the runs of
// one app go in the order of their coming. No app has every turn: what another one runs waits for no end of a long script.
type turns struct {
	mu      sync.Mutex
	size    int
	taken   map[string]int             // by app
	sum     int                        // of taken
	waiting map[string][]chan struct{} // by app; a channel is closed when its turn has come
	order   []string                   // the apps of waiting, the next one first
}

func newTurns(size int) *turns {
	return &turns{size: size, taken: map[string]int{}, waiting: map[string][]chan struct{}{}}
}

// mayTake says whether the app may have one more. The caller holds mu.
func (t *turns) mayTake(app string) bool {
	return t.sum < t.size && t.taken[app] < max(t.size-1, 1)
}

// take waits for a turn of the app, until ctx ends: then the error is its cause. give must follow.
func (t *turns) take(ctx context.Context, app string) error {
	t.mu.Lock()
	if t.mayTake(app) { // nobody of this app waits then
		t.taken[app]++
		t.sum++
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
		t.give(app)
	}
	return context.Cause(ctx)
}

// give ends a turn of the app: the next one that may has it.
func (t *turns) give(app string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum--
	if t.taken[app]--; t.taken[app] == 0 {
		delete(t.taken, app)
	}
	i := slices.IndexFunc(t.order, t.mayTake)
	if i < 0 {
		return
	}
	next := t.order[i]
	queue := t.waiting[next]
	close(queue[0])
	t.taken[next]++
	t.sum++
	t.keep(next, queue[1:])
	if len(queue) > 1 { // it is the last to have another
		t.order = append(slices.Delete(t.order, i, i+1), next)
	}
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

// busy gives how many turns are taken.
func (t *turns) busy() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sum
}
