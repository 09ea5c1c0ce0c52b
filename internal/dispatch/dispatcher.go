// Package dispatch carries firings from the outbox to the engine, each at least once; the engine makes it once. It also holds the inbox
// where callers wait for their executions.
package dispatch

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/picloud/picloud/internal/picloud"
)

// Options tune a Dispatcher. Zero fields are set by [New].
type Options struct {
	Batch        int           // firings claimed at a time; 0 = 16
	Starts       int           // firings on their way at a time at most, each from its start to the end of its first work in this process; 0 = 8 for each processor. See pace
	Lease        time.Duration // how long a claimed firing is this dispatcher's; 0 = 30 s
	Poll         time.Duration // safety net under the notifications; 0 = 5 s
	StartTimeout time.Duration // of one workflow start; 0 = 10 s
	Progress     *Progress     // nil = starts do not wait for the work of those before
}

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, to time.Duration) {
		if *d <= 0 {
			*d = to
		}
	}
	if o.Batch <= 0 {
		o.Batch = 16
	}
	if o.Starts <= 0 {
		o.Starts = 8 * runtime.GOMAXPROCS(0)
	}
	set(&o.Lease, 30*time.Second)
	set(&o.Poll, 5*time.Second)
	set(&o.StartTimeout, 10*time.Second)
	return o
}

// Starter starts the workflow of a firing; started already is success. [picloud.Engine] is one.
type Starter interface {
	Start(ctx context.Context, f picloud.Firing) error
}

// Dispatcher is the service that empties the outbox. Any number of processes may run one on the same database.
type Dispatcher struct {
	outbox  picloud.Dispatching
	starter Starter
	log     logrus.FieldLogger
	options Options

	wake      chan struct{} // holds one wake-up
	claimed   chan claim    // on the way to the starters
	arrived   chan arrival  // for the claimer
	settled   chan settled  // on the way to the settler
	engine    outage
	database  outage    // of the claims
	reclaimAt time.Time // of the claim under way
	first     sync.Once
	started   chan struct{} // closed by first
	stop      context.CancelFunc
	stopped   chan struct{}
}

// claim is a firing with the end of its lease.
type claim struct {
	firing picloud.Firing
	until  time.Time
}

// arrival is the end of the way of a firing.
type arrival struct {
	app   string
	start time.Duration // how long its start took; 0 = it was not started
}

// New makes a dispatcher, without starting it.
func New(outbox picloud.Dispatching, starter Starter, log logrus.FieldLogger, options Options) *Dispatcher {
	o := options.withDefaults()
	return &Dispatcher{
		outbox:   outbox,
		starter:  starter,
		log:      log,
		options:  o,
		wake:     make(chan struct{}, 1),
		claimed:  make(chan claim), // unbuffered: whose turn it is depends on when a starter is free
		arrived:  make(chan arrival),
		settled:  make(chan settled, o.Batch),
		engine:   outage{name: "engine", log: log},
		database: outage{name: "outbox", log: log},
		started:  make(chan struct{}),
		stopped:  make(chan struct{}),
	}
}

// errStartedTwice is the mistake of starting a service again.
var errStartedTwice = errors.New("start dispatcher: it was started before")

// Start begins to dispatch, until Stop or the end of ctx. It does not wait for the database or the engine: their absence is an outage like any
// other. It may be called once.
func (d *Dispatcher) Start(ctx context.Context) error {
	if d.stop != nil {
		return errStartedTwice
	}
	ctx, d.stop = context.WithCancel(ctx)
	// What is in flight when ctx ends is finished: each call has its own timeout.
	lasting := context.WithoutCancel(ctx)

	var starters, settler, watchers sync.WaitGroup
	for range d.options.Starts {
		starters.Go(func() { d.runStarter(ctx, lasting) })
	}
	settler.Go(func() { d.runSettler(ctx, lasting) })
	watchers.Go(func() { d.runListener(ctx) })
	watchers.Go(func() {
		d.runClaimer(ctx)
		close(d.claimed)
	})
	go func() {
		defer close(d.stopped)
		watchers.Wait()
		starters.Wait()
		close(d.settled)
		settler.Wait()
	}()
	return nil
}

// Started is closed when the first claim has been made.
func (d *Dispatcher) Started() <-chan struct{} { return d.started }

// Stop ends the dispatching: nothing more is claimed, starts in flight are finished, what is claimed but not begun is handed back. It blocks
// until that is done.
func (d *Dispatcher) Stop() {
	if d.stop == nil {
		return
	}
	d.stop()
	<-d.stopped
}

// runStarter carries firings on their way, one at a time.
func (d *Dispatcher) runStarter(ctx, lasting context.Context) {
	hold := newHold()
	for c := range d.claimed {
		took := d.carry(ctx, lasting, c, hold)
		select {
		case d.arrived <- arrival{app: c.firing.AppID, start: took}:
		case <-ctx.Done(): // nobody counts any more
		}
	}
}

// carry starts the workflow of a firing, and waits for its work. It gives how long the start took, 0 where there was none.
func (d *Dispatcher) carry(ctx, lasting context.Context, c claim, hold *hold) (start time.Duration) {
	if time.Now().After(c.until) {
		return 0 // the lease is over: the row is due again, for whoever claims it
	}
	if ctx.Err() != nil {
		d.settled <- settled{id: c.firing.ExecutionID, as: handedBack}
		return 0
	}
	worked, done := d.options.Progress.expect(c.firing.ExecutionID)
	defer done()
	call, cancel := context.WithTimeout(lasting, d.options.StartTimeout)
	defer cancel()
	began := time.Now()
	if err := d.starter.Start(call, c.firing); err != nil {
		d.engine.fault(err)
		d.settled <- settled{id: c.firing.ExecutionID, as: failed}
		return 0
	}
	start = time.Since(began)
	d.engine.fine()
	d.settled <- settled{id: c.firing.ExecutionID, as: begun}
	hold.until(worked, ctx.Done())
	return start
}
