// Package sandbox runs and compiles untrusted code in a pool of child processes. A process serves one run at a time and one app in its life; a fresh
// runtime serves each run. What leaves a process is not trusted: every frame is checked here.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/egress"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// retirement says when a process is replaced that has done nothing wrong.
type retirement struct {
	maxRuns          int // after so many runs
	checkMemoryEvery int // its memory is looked at after each so many runs
	keepPrivateMB    int // more private memory than this beside the memory limit's
}

var defaultRetirement = retirement{maxRuns: 20000, checkMemoryEvery: 64, keepPrivateMB: 128}

const (
	// idlePerSlot is how many idle processes are kept for their apps, for each that may run at once.
	idlePerSlot = 4
	// startPause is the pause after a process could not be started.
	startPause = time.Second
)

// compiler is the app that compilations are run for: no slug has a space.
const compiler = "the compiler"

// Options make a Pool.
type Options struct {
	// Command is the argv of a child, whose process calls child.Main.
	Command []string
	// Size is how many runs there may be at once, of one app one less where it is more than one; as many warm processes wait to take the place of others.
	Size int
	// KV is what ctx.kv reads.
	KV picloud.KVReader
	// Secrets is what ctx.secrets reads; nil = no app has any.
	Secrets picloud.SecretReader
	// Mail is what becomes of ctx.email.send: without a domain and a relay it throws.
	Mail picloud.MailRules
	// Ceiling bounds the limits of every run; zero fields are those of picloud.DefaultLimits.
	Ceiling picloud.Limits
	// Egress says where ctx.fetch may connect; nil = the public Internet only.
	Egress *egress.Guard
	// RequireAll makes New fail where this machine refuses a layer of protection; else one line of the log says what is refused.
	RequireAll bool
	Log        logrus.FieldLogger
}

// Pool implements picloud.Sandbox and picloud.Compiler.
type Pool struct {
	options Options
	retired retirement
	folder  string // the empty working folder of the children
	starter *starter
	turns   *turns          // one a run
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

	started, finished, killed atomic.Int64 // children: see Stats
}

// programPath gives the absolute path of the children's program: they are started in a folder of their own. What cannot be run is said now, and not by a pool
// that has no children for ever.
func programPath(name string) (string, error) {
	found, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("find the children's program: %w", err)
	}
	path, err := filepath.Abs(found)
	if err != nil {
		return "", fmt.Errorf("find the children's program: %w", err)
	}
	return path, nil
}

// New starts a pool. Its first children are started in the background: a run waits for one.
func New(o Options) (*Pool, error) {
	if len(o.Command) == 0 || o.Size < 1 || o.KV == nil || o.Log == nil {
		return nil, errors.New("make sandbox: Command, Size, KV and Log are needed")
	}
	program, err := programPath(o.Command[0])
	if err != nil {
		return nil, err
	}
	o.Command = append([]string{program}, o.Command[1:]...)
	if o.Egress == nil {
		o.Egress = &egress.Guard{}
	}
	o.Ceiling = o.Ceiling.Or(picloud.DefaultLimits)
	folder, err := os.MkdirTemp("", "picloud-sandbox-")
	if err != nil {
		return nil, fmt.Errorf("make working folder: %w", err)
	}
	p := &Pool{
		options: o, retired: defaultRetirement, folder: folder, starter: newStarter(), turns: newTurns(o.Size), compile: make(chan struct{}, 1),
		spares: make(chan *process),
	}
	p.life, p.end = context.WithCancel(context.Background())
	if o.RequireAll {
		if err := p.requireAll(); err != nil {
			p.Close()
			return nil, err
		}
	}
	for range o.Size {
		p.refills.Add(1)
		go p.refill()
	}
	return p, nil
}

// requireAll starts a child to see that it gets every layer of protection.
func (p *Pool) requireAll() error {
	c, err := newProcess(p.starter, p.options.Command, p.folder, p.setup())
	if err != nil {
		return fmt.Errorf("start sandbox child: %w", err)
	}
	p.started.Add(1)
	p.retire(c)
	if len(c.warnings) > 0 {
		return fmt.Errorf("require all layers of the sandbox: this machine refuses %s", strings.Join(c.warnings, "; "))
	}
	return nil
}

// setup is what every child is told first.
func (p *Pool) setup() frame.Setup {
	return frame.Setup{MemoryMB: max(p.options.Ceiling.MemoryMB, frame.CompileLimits.MemoryMB)}
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
	for {
		select {
		case <-p.life.Done():
			return
		default:
		}
		c, err := newProcess(p.starter, p.options.Command, p.folder, p.setup())
		if err != nil {
			p.options.Log.WithError(err).Error("sandbox child does not start")
			select {
			case <-time.After(startPause):
			case <-p.life.Done():
			}
			continue
		}
		p.started.Add(1)
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
		if c.quiet() {
			return c, nil
		}
		p.discard(c)
	}
}

// release takes a process back after a run that ended well.
func (p *Pool) release(c *process) {
	c.runs++
	if c.runs >= p.retired.maxRuns ||
		c.runs%p.retired.checkMemoryEvery == 0 && privateBytes(c.cmd.Process.Pid) > int64(p.options.Ceiling.MemoryMB+p.retired.keepPrivateMB)<<20 {
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
	c.bury()
	p.finished.Add(1)
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
