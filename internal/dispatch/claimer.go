package dispatch

import (
	"context"
	"runtime"
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/rota"
)

// contendedPause is the pause after a claim that got nothing although something is due: another dispatcher is at it.
const contendedPause = 50 * time.Millisecond

// runClaimer claims what is due and feeds it to the starters, whose work holds it back: the apps take turns. It claims again when few are left of what it has, while there is more, and when it is
// woken: then of the apps that have nothing here, whose turn comes at once. The starters do not wait for the claims.
func (d *Dispatcher) runClaimer(ctx context.Context) {
	turns, pace := rota.New[claim](), newPace(runtime.GOMAXPROCS(0), d.options.Starts)
	look := newLook()
	defer look.stop()
	got := make(chan claimed, 1)
	for ctx.Err() == nil {
		if but, due := look.due(turns, d.options.Batch); due {
			look.asking, look.woken = true, false
			go func() { got <- d.claim(ctx, but) }()
		}
		var to chan<- claim // nil = nothing to feed
		app, next, ok := turns.Next(pace.now())
		if ok {
			to = d.claimed
		}
		select {
		case to <- next:
			turns.Begin(app)
		case a := <-d.arrived:
			if a.start > 0 {
				pace.took(a.start, turns.Begun())
			}
			turns.End(a.app)
		case c := <-got:
			c.wait(turns)
			look.seen(c, d.options.Batch)
		case <-d.wake:
			look.woken = true
		case <-look.timer.C:
			look.woken = true
		case <-ctx.Done():
		}
	}
	if look.asking {
		c := <-got
		c.wait(turns)
	}
	for _, c := range turns.Rest() { // the starters hand back what they get now
		d.claimed <- c
	}
}

// claimed is what a claim gave.
type claimed struct {
	claims []claim
	but    []string      // the apps that were left out
	took   time.Duration // negative = it failed
	next   time.Duration // until something may be due, where the claim gave all that is
}

// wait has the claims wait for their apps' turns.
func (c *claimed) wait(turns *rota.Rota[claim]) {
	for _, one := range c.claims {
		turns.Add(one.firing.AppID, one)
	}
}

// claim claims once, nothing of the apps but.
func (d *Dispatcher) claim(ctx context.Context, but []string) claimed {
	failed := claimed{but: but, took: -1}
	if sleep(ctx, max(d.engine.wait(), d.database.wait())) != nil {
		return failed
	}
	err := d.reclaim(ctx)
	began := time.Now()
	var firings []picloud.Firing
	if err == nil {
		firings, err = d.outbox.ClaimDue(ctx, d.options.Batch, d.options.Lease, but...)
	}
	if err != nil {
		if ctx.Err() == nil {
			d.database.fault(err)
		}
		return failed
	}
	d.database.fine()
	d.first.Do(func() { close(d.started) })
	c := claimed{but: but, took: time.Since(began)}
	for _, f := range firings {
		c.claims = append(c.claims, claim{firing: f, until: began.Add(d.options.Lease)})
	}
	if but == nil && len(firings) < d.options.Batch {
		c.next = d.untilDue(ctx, len(firings))
	}
	return c
}

// reclaim ends the claims of processes that are no more, at the first claim and now and then: their leases would give them back later.
func (d *Dispatcher) reclaim(ctx context.Context) error {
	if time.Now().Before(d.reclaimAt) {
		return nil
	}
	n, err := d.outbox.ReclaimFirings(ctx)
	if err != nil {
		return err //nolint:wrapcheck // the caller logs it
	}
	d.reclaimAt = time.Now().Add(d.options.Poll)
	if n > 0 {
		d.log.WithField("firings", n).Info("took over what a process had claimed that is no more")
	}
	return nil
}

// untilDue is how long it takes until something may be due of which no notification tells: the time of the next row, or the poll that is the safety net. got is how much the last claim gave.
func (d *Dispatcher) untilDue(ctx context.Context, got int) time.Duration {
	in, ok, err := d.outbox.NextDue(ctx)
	if err != nil || !ok {
		return d.options.Poll
	}
	if got == 0 {
		in = max(in, contendedPause)
	}
	return min(d.options.Poll, in)
}

// look says when to claim again.
type look struct {
	asking bool // a claim is under way
	more   bool // something may be left: of what was asked for, or of the apps that were not asked for
	woken  bool // something may have come
	rest   time.Time
	timer  *time.Timer
}

// rest is how many times as long as a claim took that gave nothing no wake leads to another one: a storm of one app's events may not keep the database busy with the question whether others have any.
const rest = 4

// newLook is due at once.
func newLook() *look { return &look{woken: true, timer: time.NewTimer(time.Hour)} }

func (l *look) stop() { l.timer.Stop() }

// due says whether to claim while so much waits for its turn, a batch at most, and nothing of which apps.
func (l *look) due(turns *rota.Rota[claim], batch int) (but []string, due bool) {
	switch {
	case l.asking:
		return nil, false
	case turns.Waiting() <= batch/2:
		return nil, l.more || l.woken
	case l.woken && turns.Waiting() <= 4*batch && !time.Now().Before(l.rest):
		return turns.Apps(), true
	}
	return nil, false
}

// seen tells what a claim gave.
func (l *look) seen(c claimed, batch int) {
	l.asking = false
	l.more = c.took < 0 || c.but != nil || len(c.claims) >= batch
	switch {
	case c.but != nil && c.took > 0 && len(c.claims) == 0:
		l.rest = time.Now().Add(rest * c.took)
		l.timer.Reset(rest * c.took)
	case !l.more:
		l.timer.Reset(c.next)
	}
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
