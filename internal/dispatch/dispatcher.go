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
	Batch        int           // firings claimed at a time; 0 = 16: what is claimed goes before what comes, of whichever app
	Starts       int           // workflow starts in flight; 0 = 4 for each processor, at least 8
	Lease        time.Duration // how long a claimed firing is this dispatcher's; 0 = 30 s
	Poll         time.Duration // safety net under the notifications; 0 = 5 s
	StartTimeout time.Duration // of one workflow start; 0 = 10 s
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
		o.Starts = max(4*runtime.GOMAXPROCS(0), 8)
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

	wake    chan struct{} // holds one wake-up
	claimed chan claim    // on the way to the starters
	settled chan settled  // on the way to the settler
	engine  outage
	started chan struct{}
	stop    context.CancelFunc
	stopped chan struct{}
}

// claim is a firing with the end of its lease.
type claim struct {
	firing picloud.Firing
	until  time.Time
}

// New makes a dispatcher, without starting it.
func New(outbox picloud.Dispatching, starter Starter, log logrus.FieldLogger, options Options) *Dispatcher {
	o := options.withDefaults()
	return &Dispatcher{
		outbox:  outbox,
		starter: starter,
		log:     log,
		options: o,
		wake:    make(chan struct{}, 1),
		claimed: make(chan claim), // unbuffered: a claim is made when the one before has begun
		settled: make(chan settled, o.Batch),
		engine:  outage{name: "engine", log: log},
		started: make(chan struct{}),
		stopped: make(chan struct{}),
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

// runStarter starts workflows, one at a time.
func (d *Dispatcher) runStarter(ctx, lasting context.Context) {
	for c := range d.claimed {
		if time.Now().After(c.until) {
			continue // the lease is over: the row is due again, for whoever claims it
		}
		if ctx.Err() != nil {
			d.settled <- settled{id: c.firing.ExecutionID, as: handedBack}
			continue
		}
		call, cancel := context.WithTimeout(lasting, d.options.StartTimeout)
		err := d.starter.Start(call, c.firing)
		cancel()
		if err != nil {
			d.engine.fault(err)
			d.settled <- settled{id: c.firing.ExecutionID, as: failed}
			continue
		}
		d.engine.fine()
		d.settled <- settled{id: c.firing.ExecutionID, as: begun}
	}
}
