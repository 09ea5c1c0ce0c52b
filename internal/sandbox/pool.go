// Package sandbox runs and compiles untrusted code in a pool of child processes. A process serves one run at a time and one app in its life; a fresh
// runtime serves each run. What leaves a process is not trusted: every frame is checked here.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/egress"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

const (
	// maxRuns is how many runs a process serves before it is replaced.
	maxRuns = 2000
	// checkMemoryEvery is after how many runs a process's memory is looked at.
	checkMemoryEvery = 16
	// idlePerSlot is how many idle processes are kept for their apps, for each that may run at once.
	idlePerSlot = 4
	// startPause is the pause after a process could not be started.
	startPause = time.Second
	// keepPrivateMB is how much private memory an idle process may hold beside the memory limit's.
	keepPrivateMB = 128
)

// compiler is the app that compilations are run for: no slug has a space.
const compiler = "the compiler"

// Options make a Pool.
type Options struct {
	// Command is the argv of a child, whose process calls child.Main.
	Command []string
	// Size is how many runs there may be at once; as many warm processes wait to take the place of others.
	Size int
	// KV is what ctx.kv reads.
	KV picloud.KVReader
	// Ceiling bounds the limits of every run; zero fields are those of picloud.DefaultLimits.
	Ceiling picloud.Limits
	// Egress says where ctx.fetch may connect; nil = the public Internet only.
	Egress *egress.Guard
	Log    logrus.FieldLogger
}

// Pool implements picloud.Sandbox and picloud.Compiler.
type Pool struct {
	options Options
	folder  string // the empty working folder of the children
	starter *starter
	slots   chan struct{}   // one token a run
	compile chan struct{}   // one token: one compilation at a time
	spares  chan *process   // ready, no app yet
	life    context.Context //nolint:containedctx // ends with the pool
	end     context.CancelFunc
	refills sync.WaitGroup
	busy    sync.WaitGroup

	mu    sync.Mutex
	idle  []*process // bound to their apps, the last used at the end
	ended bool
	warn  sync.Once
}

// New starts a pool. Its first children are started in the background: a run waits for one.
func New(o Options) (*Pool, error) {
	if len(o.Command) == 0 || o.Size < 1 || o.KV == nil || o.Log == nil {
		return nil, errors.New("make sandbox: Command, Size, KV and Log are needed")
	}
	if o.Egress == nil {
		o.Egress = &egress.Guard{}
	}
	o.Ceiling = within(o.Ceiling, picloud.DefaultLimits, picloud.Limits{})
	folder, err := os.MkdirTemp("", "picloud-sandbox-")
	if err != nil {
		return nil, fmt.Errorf("make working folder: %w", err)
	}
	p := &Pool{
		options: o, folder: folder, starter: newStarter(), slots: make(chan struct{}, o.Size), compile: make(chan struct{}, 1),
		spares: make(chan *process),
	}
	p.life, p.end = context.WithCancel(context.Background())
	for range o.Size {
		p.refills.Add(1)
		go p.refill()
	}
	return p, nil
}

// Close ends every child, those that run too, waits until all calls have come back, and removes the working folder. It may be called twice.
func (p *Pool) Close() {
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		return
	}
	p.ended = true
	p.end()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		p.retire(c)
	}
	p.refills.Wait()
	p.busy.Wait()
	p.starter.close()
	_ = os.RemoveAll(p.folder)
}

// refill keeps one process ready, and makes another when it is taken.
func (p *Pool) refill() {
	defer p.refills.Done()
	setup := frame.Setup{MemoryMB: max(p.options.Ceiling.MemoryMB, frame.CompileLimits.MemoryMB)}
	for {
		select {
		case <-p.life.Done():
			return
		default:
		}
		c, err := newProcess(p.starter, p.options.Command, p.folder, setup)
		if err != nil {
			p.options.Log.WithError(err).Error("sandbox child does not start")
			select {
			case <-time.After(startPause):
			case <-p.life.Done():
			}
			continue
		}
		p.warn.Do(func() {
			if len(c.warnings) > 0 {
				p.options.Log.WithField("layers", c.warnings).Warn("sandbox lacks layers of protection that this machine refuses")
			}
		})
		select {
		case p.spares <- c:
		case <-c.dead: // by someone else's hand
			p.retire(c)
		case <-p.life.Done():
			p.retire(c)
			return
		}
	}
}

// acquire gives a process for an app: the one that served it last, else a fresh one. release or retire must follow.
func (p *Pool) acquire(ctx context.Context, app string) (*process, error) {
	for {
		p.mu.Lock()
		if p.ended {
			p.mu.Unlock()
			return nil, errPoolClosed
		}
		var c *process
		for i := len(p.idle) - 1; i >= 0 && c == nil; i-- {
			if p.idle[i].app == app {
				c = p.idle[i]
				p.idle = slices.Delete(p.idle, i, i+1)
			}
		}
		p.busy.Add(1)
		p.mu.Unlock()
		if c == nil {
			select {
			case c = <-p.spares:
				c.app = app
			case <-ctx.Done():
				p.busy.Done()
				return nil, context.Cause(ctx)
			}
		}
		if c.alive() {
			return c, nil
		}
		p.discard(c)
	}
}

// release takes a process back after a run that ended well.
func (p *Pool) release(c *process) {
	c.runs++
	if c.runs >= maxRuns || c.runs%checkMemoryEvery == 0 && privateBytes(c.cmd.Process.Pid) > int64(p.options.Ceiling.MemoryMB+keepPrivateMB)<<20 {
		p.discard(c)
		return
	}
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		p.discard(c)
		return
	}
	p.idle = append(p.idle, c)
	var over *process
	if len(p.idle) > idlePerSlot*p.options.Size {
		over, p.idle = p.idle[0], slices.Delete(p.idle, 0, 1)
	}
	p.mu.Unlock()
	if over != nil {
		p.retire(over)
	}
	p.busy.Done()
}

// discard ends a process that was acquired.
func (p *Pool) discard(c *process) {
	p.retire(c)
	p.busy.Done()
}

// retire ends a process.
func (p *Pool) retire(c *process) {
	c.kill()
	<-c.dead
}

// bind gives a context that ends with ctx or the pool, whichever is first.
func (p *Pool) bind(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(p.life, func() { cancel(errPoolClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// take waits for a token.
func take(ctx context.Context, tokens chan struct{}) error {
	select {
	case tokens <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// within gives l with zero fields as in defaults and none over ceiling's; a zero field of ceiling is no bound.
func within(l, defaults, ceiling picloud.Limits) picloud.Limits {
	return picloud.Limits{
		Wall:         bound(l.Wall, defaults.Wall, ceiling.Wall),
		CPU:          bound(l.CPU, defaults.CPU, ceiling.CPU),
		MemoryMB:     bound(l.MemoryMB, defaults.MemoryMB, ceiling.MemoryMB),
		PayloadBytes: bound(l.PayloadBytes, defaults.PayloadBytes, ceiling.PayloadBytes),
		LogBytes:     bound(l.LogBytes, defaults.LogBytes, ceiling.LogBytes),
		HostCalls:    bound(l.HostCalls, defaults.HostCalls, ceiling.HostCalls),
		Effects:      bound(l.Effects, defaults.Effects, ceiling.Effects),
	}
}

func bound[T ~int | ~int64](v, normal, most T) T {
	if v <= 0 {
		v = normal
	}
	if most > 0 {
		v = min(v, most)
	}
	return v
}
