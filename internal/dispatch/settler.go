package dispatch

import (
	"context"
	"time"
)

// The bounds of the settler's work.
const (
	settleBatch     = 500
	settleTimeout   = 5 * time.Second
	lastSettleTries = 2 // after Stop: what is not settled then comes due again when its lease ends
	// The delays of a firing whose start failed.
	firstDelay   = time.Second
	longestDelay = time.Minute
	// mostFailing bounds the memory of how often a firing's start has failed.
	mostFailing = 10_000
)

// fate is what came of a claimed firing.
type fate uint8

const (
	begun      fate = iota // its workflow is there: the row goes
	failed                 // its start failed: the row comes due again later
	handedBack             // not tried: the row is due again at once
)

// settled is a claimed firing with what came of it.
type settled struct {
	id string
	as fate
}

// runSettler writes what came of claimed firings back to the outbox, in batches that grow while the database is busy. It ends when the channel
// is closed and all is written.
func (d *Dispatcher) runSettler(ctx, lasting context.Context) {
	failures := make(map[string]int)
	database := outage{name: "outbox", log: d.log}
	for first := range d.settled {
		b := newSettlement(failures)
		b.add(first)
		d.collect(b)
		for tries := 1; ; tries++ {
			err := d.write(lasting, b)
			if err == nil {
				database.fine()
				break
			}
			database.fault(err)
			if ctx.Err() != nil && tries >= lastSettleTries {
				break
			}
			_ = sleep(ctx, database.wait()) // after Stop: no pause
		}
	}
}

// collect adds what else is there already.
func (d *Dispatcher) collect(b *settlement) {
	for b.size < settleBatch {
		select {
		case s, open := <-d.settled:
			if !open {
				return
			}
			b.add(s)
		default:
			return
		}
	}
}

// settlement is one batch for the outbox.
type settlement struct {
	failures map[string]int // starts that failed in a row, by execution id
	size     int
	done     []string
	again    map[time.Duration][]string // by delay
}

func newSettlement(failures map[string]int) *settlement {
	return &settlement{failures: failures, again: make(map[time.Duration][]string)}
}

func (b *settlement) add(s settled) {
	b.size++
	switch s.as {
	case begun:
		delete(b.failures, s.id)
		b.done = append(b.done, s.id)
	case handedBack:
		b.again[0] = append(b.again[0], s.id)
	case failed:
		if len(b.failures) >= mostFailing {
			clear(b.failures)
		}
		delay := min(firstDelay<<min(b.failures[s.id], 10), longestDelay)
		b.failures[s.id]++
		b.again[delay] = append(b.again[delay], s.id)
	}
}

// write writes the batch; what is written once is not written again by the next call.
func (d *Dispatcher) write(ctx context.Context, b *settlement) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if len(b.done) > 0 {
		if err := d.outbox.DeleteFirings(ctx, b.done); err != nil {
			return err
		}
		b.done = nil
	}
	for delay, ids := range b.again {
		if err := d.outbox.RescheduleFirings(ctx, ids, delay); err != nil {
			return err
		}
		delete(b.again, delay)
	}
	return nil
}
