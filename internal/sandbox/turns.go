package sandbox

import (
	"context"
	"sync"

	"github.com/picloud/picloud/internal/rota"
)

// turns lets a number of runs go at a time. Apps whose runs wait take turns, and none has every turn: see package rota.
type turns struct {
	places int
	mu     sync.Mutex
	rota   *rota.Rota[chan struct{}] // a channel is closed when its turn has come
}

func newTurns(places int) *turns { return &turns{places: places, rota: rota.New[chan struct{}]()} }

// take waits for a turn of the app, until ctx ends: then the error is its cause. give must follow.
func (t *turns) take(ctx context.Context, app string) error {
	t.mu.Lock()
	if t.rota.BeginNow(app, t.places) { // nobody of this app waits then
		t.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	t.rota.Add(app, turn)
	t.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	waited := t.rota.Remove(app, func(one chan struct{}) bool { return one == turn })
	t.mu.Unlock()
	if !waited { // the turn came at the same moment: it is somebody else's
		t.give(app)
	}
	return context.Cause(ctx)
}

// give ends a turn of the app: the next one that may has it.
func (t *turns) give(app string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rota.End(app)
	if next, turn, ok := t.rota.Next(t.places); ok {
		t.rota.Begin(next)
		close(turn)
	}
}

// busy gives how many turns are taken.
func (t *turns) busy() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rota.Begun()
}
