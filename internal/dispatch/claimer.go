package dispatch

import (
	"context"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// contendedPause is the pause after a claim that got nothing although something is due: another dispatcher is at it.
const contendedPause = 50 * time.Millisecond

// runClaimer claims what is due and feeds it to the starters, whose backlog holds it back.
func (d *Dispatcher) runClaimer(ctx context.Context) {
	database := outage{name: "outbox", log: d.log}
	first := true
	for ctx.Err() == nil {
		if sleep(ctx, d.engine.wait()) != nil {
			return
		}
		until := time.Now().Add(d.options.Lease)
		firings, err := d.outbox.ClaimDue(ctx, d.options.Batch, d.options.Lease)
		if ctx.Err() != nil && err != nil {
			return
		}
		if err != nil {
			database.fault(err)
			if sleep(ctx, database.wait()) != nil {
				return
			}
			continue
		}
		database.fine()
		if first {
			first = false
			close(d.started)
		}
		d.feed(firings, until)
		if len(firings) >= d.options.Batch {
			continue
		}
		if d.idle(ctx, len(firings)) != nil {
			return
		}
	}
}

// feed hands the firings to the starters. It goes on after the end of the dispatcher's context: the starters hand back what they get then.
func (d *Dispatcher) feed(firings []picloud.Firing, until time.Time) {
	for _, f := range firings {
		d.claimed <- claim{firing: f, until: until}
	}
}

// idle waits until something may be due: a notification, the time of the next row, or the poll that is the safety net. got is how much the
// last claim gave.
func (d *Dispatcher) idle(ctx context.Context, got int) error {
	pause := d.options.Poll
	if in, ok, err := d.outbox.NextDue(ctx); err == nil && ok {
		if got == 0 {
			in = max(in, contendedPause)
		}
		pause = min(pause, in)
	}
	if pause <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-d.wake:
	case <-timer.C:
	}
	return nil
}

// runListener keeps a listening connection to the database.
func (d *Dispatcher) runListener(ctx context.Context) {
	connection := outage{name: "outbox notifications", log: d.log}
	wake := func() {
		connection.fine()
		select {
		case d.wake <- struct{}{}:
		default: // one is waiting already
		}
	}
	for ctx.Err() == nil {
		err := d.outbox.Listen(ctx, wake)
		if ctx.Err() != nil {
			return
		}
		connection.fault(err)
		if sleep(ctx, connection.wait()) != nil {
			return
		}
	}
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
