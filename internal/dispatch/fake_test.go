package dispatch_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/picloud/picloud/internal/picloud"
)

var errDown = errors.New("down")

// outbox is a picloud.Dispatching in memory. An id begins with the id of its app, and a slash if there is more.
type outbox struct {
	mu      sync.Mutex
	rows    map[string]time.Time // when due, by execution id
	order   []string
	down    bool
	claims  int
	wake    func()
	delays  map[string][]time.Duration
	deletes int // failures of DeleteFirings to come
}

func newOutbox() *outbox {
	return &outbox{rows: map[string]time.Time{}, delays: map[string][]time.Duration{}}
}

func (o *outbox) add(ids ...string) {
	o.mu.Lock()
	for _, id := range ids {
		o.rows[id] = time.Now()
		o.order = append(o.order, id)
	}
	wake := o.wake
	o.mu.Unlock()
	if wake != nil {
		wake()
	}
}

func (o *outbox) set(change func(*outbox)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(o)
}

func (o *outbox) size() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.rows)
}

func (o *outbox) ClaimDue(_ context.Context, limit int, lease time.Duration, but ...string) ([]picloud.Firing, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		return nil, errDown
	}
	o.claims++
	now := time.Now()
	var firings []picloud.Firing
	for _, id := range o.order {
		app, _, _ := strings.Cut(id, "/")
		if due, ok := o.rows[id]; ok && !due.After(now) && len(firings) < limit && !slices.Contains(but, app) {
			o.rows[id] = now.Add(lease)
			firings = append(firings, picloud.Firing{ExecutionID: id, AppID: app})
		}
	}
	return firings, nil
}

// ReclaimFirings finds nothing: no other process claims.
func (o *outbox) ReclaimFirings(context.Context) (int, error) { return 0, nil }

func (o *outbox) DeleteFirings(_ context.Context, ids []string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down || o.deletes > 0 {
		o.deletes--
		return errDown
	}
	for _, id := range ids {
		delete(o.rows, id)
	}
	return nil
}

func (o *outbox) RescheduleFirings(_ context.Context, ids []string, delay time.Duration) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		return errDown
	}
	for _, id := range ids {
		o.rows[id] = time.Now().Add(delay)
		o.delays[id] = append(o.delays[id], delay)
	}
	return nil
}

func (o *outbox) NextDue(context.Context) (time.Duration, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		return 0, false, errDown
	}
	var next time.Time
	for _, due := range o.rows {
		if next.IsZero() || due.Before(next) {
			next = due
		}
	}
	return max(time.Until(next), 0), !next.IsZero(), nil
}

func (o *outbox) Listen(ctx context.Context, wake func()) error {
	o.set(func(o *outbox) { o.wake = wake })
	wake()
	<-ctx.Done()
	return ctx.Err()
}

// starter counts starts.
type starter struct {
	mu     sync.Mutex
	starts map[string]int
	fails  func(id string) error
	block  chan struct{} // starts wait for it
	most   int           // at a time
	now    int
}

func newStarter() *starter { return &starter{starts: map[string]int{}} }

func (s *starter) Start(ctx context.Context, f picloud.Firing) error {
	s.mu.Lock()
	s.now++
	s.most = max(s.most, s.now)
	fails := s.fails
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.now--
		s.mu.Unlock()
	}()
	if s.block != nil {
		select {
		case <-s.block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if fails != nil {
		if err := fails(f.ExecutionID); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starts[f.ExecutionID]++
	return nil
}

func (s *starter) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.starts)
}

func (s *starter) running() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *starter) failing(fails func(id string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = fails
}

// newID makes the id of an execution or event.
func newID() string { return uuid.Must(uuid.NewV7()).String() }
