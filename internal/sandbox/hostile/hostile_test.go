// Package hostile_test attacks the sandbox with everything in testdata: see TestHostileScripts for what each attack must leave as it was.
package hostile_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox"
	"github.com/picloud/picloud/internal/sandbox/child"
)

// The test binary is its own child.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "sandbox-child" {
		child.Main()
	}
	os.Exit(m.Run())
}

// limits are small, so that attacks meet them soon.
var limits = picloud.Limits{
	Wall: 2 * time.Second, CPU: 100 * time.Millisecond, MemoryMB: 32, CallDepth: 500, PayloadBytes: 64 << 10, LogBytes: 2 << 10, HostCalls: 20, Effects: 5,
}

// The limits of time of an attack that should not meet them: on a busy machine the wall clock runs ahead of the CPU's, and the CPU's ahead of what 100 ms
// of it do on an idle one.
const farWall, farCPU = time.Minute, 10 * time.Second

// limits are the limits that a case runs within: small, but for those of time that are not among its ends.
func (c hostile) limits() picloud.Limits {
	l := limits
	if !slices.Contains(c.expect, picloud.LimitWall.ErrorType) {
		l.Wall = farWall
	}
	if !slices.Contains(c.expect, picloud.LimitCPU.ErrorType) {
		l.CPU = farCPU
	}
	return l
}

// maxGrowthMB is how much memory this process, which stands for the server, may gain in the whole suite. One run may make it hold some MiB; nothing may stay.
const maxGrowthMB = 96

// store is an empty key-value store.
type store struct{}

func (store) KVGet(context.Context, string, string, string) (picloud.KVEntry, error) {
	return picloud.KVEntry{}, nil
}

func (store) KVList(context.Context, string, string, string, picloud.Page) (picloud.List[picloud.KVEntry], error) {
	return picloud.List[picloud.KVEntry]{}, nil
}

func newPool(t *testing.T, size int) *sandbox.Pool {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	log := logrus.New()
	log.SetOutput(io.Discard)
	pool, err := sandbox.New(sandbox.Options{Command: []string{self, "sandbox-child"}, Size: size, KV: store{}, Ceiling: picloud.Limits{Wall: farWall, CPU: farCPU}, Log: log})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func runOf(app string, p picloud.Program, l picloud.Limits) picloud.Run {
	return picloud.Run{
		ExecutionID: "0190-exec", AppID: app, App: app, Script: "attack", Version: 1, Program: p, Attempt: 1, Limits: l,
		Event: picloud.Event{SpecVersion: "1.0", ID: "0190-event", Type: picloud.TypeKVCreated, Subject: "42", Time: time.Unix(1700000000, 0).UTC(), Data: []byte(`{"n":1}`)},
	}
}

// goodSource is what must always work: what it gives depends on much that an attack could have spoiled.
const goodSource = `export default async (e, ctx) => {
	await ctx.kv.set("c", "k", [e.data.n]);
	const read = await ctx.kv.get("c", "k");
	await new Promise((r) => setTimeout(r, 0));
	return [e.subject, read.map((n) => n + 1), JSON.stringify({ a: String({}) }), Object.keys({}).length, typeof process, /^a+$/.test("aaa")];
}`

const goodResult = `["42",[2],"{\"a\":\"[object Object]\"}",0,"undefined",true]`

// good runs the good script as an app and fails the test if its end is another than it should be.
func good(t *testing.T, pool *sandbox.Pool, app string, p picloud.Program) {
	t.Helper()
	out, err := pool.Run(t.Context(), runOf(app, p, picloud.Limits{}))
	require.NoError(t, err)
	require.Nil(t, out.Failure, "%v", out.Failure)
	require.Equal(t, goodResult, string(out.Result.Value))
	require.Len(t, out.Effects, 1)
	require.Empty(t, out.Logs)
}

// TestHostileScripts runs every attack and asks of each: a clean end of a type that was expected; the next runs on the pool, of this app and of another,
// are right. Of the suite: this process's memory stays flat, and another app's runs, made all the while, all succeed.
func TestHostileScripts(t *testing.T) {
	pool := newPool(t, 2)
	cases := readCases(t, "scripts")
	require.GreaterOrEqual(t, len(cases), 80)
	goodProgram, err := pool.Compile(t.Context(), "good", picloud.JavaScript, goodSource)
	require.NoError(t, err)
	good(t, pool, "hostile", goodProgram)
	n := startNeighbour(t, pool, goodProgram)
	n.measure(t)
	var before int64
	for i, c := range cases {
		if i == len(cases)/10 { // the pool is warm
			before = residentBytes(t)
		}
		t.Run(c.name, func(t *testing.T) {
			program, err := pool.Compile(t.Context(), "attack", picloud.JavaScript, c.source)
			require.NoError(t, err, "%v", err)
			n.disturb()
			out, err := pool.Run(t.Context(), runOf("hostile", program, c.limits()))
			n.calm()
			require.NoError(t, err)
			requireEnd(t, c, out)
			good(t, pool, "hostile", goodProgram)
		})
	}
	n.stop(t)
	debug.FreeOSMemory()
	if after := residentBytes(t); before > 0 {
		t.Logf("%d attacks; memory %d MiB before, %d MiB after", len(cases), before>>20, after>>20)
		require.Less(t, after-before, int64(maxGrowthMB)<<20)
	}
}

func requireEnd(t *testing.T, c hostile, out picloud.Outcome) {
	t.Helper()
	expect := c.expect
	if raceDetector { // it takes memory and time of its own, and dies of the memory limit in its own way
		expect = append(slices.Clone(expect), "SandboxDied", "MemoryLimitExceeded", "CPULimitExceeded", "WallLimitExceeded", "StackLimitExceeded")
	}
	logged := 0
	for _, l := range out.Logs {
		logged += len(l.Message)
	}
	require.LessOrEqual(t, logged, limits.LogBytes+256)
	if out.Failure == nil {
		require.Contains(t, expect, "ok", "it gave %.200s", out.Result.Value)
		require.LessOrEqual(t, len(out.Result.Value), limits.PayloadBytes)
		require.LessOrEqual(t, len(out.Effects), limits.Effects)
		return
	}
	require.Contains(t, expect, out.Failure.Type, "%.300s", out.Failure.Error())
	require.LessOrEqual(t, len(out.Failure.Message), picloud.MaxErrorMessage)
	require.LessOrEqual(t, len(out.Failure.Stack), picloud.MaxErrorStack)
	for _, l := range picloud.LimitTable { // a platform's failure has the platform's reason, and its limit in the message
		if l.ErrorType == out.Failure.Type && out.Failure.Reason == l.Reason && l.Name != picloud.LimitPayload.Name {
			require.Contains(t, out.Failure.Message, l.Text(l.Get(c.limits())))
		}
	}
}

// TestHostileSources compiles every hostile source, and runs what compiles: a clean error or a program, and then a good source compiles.
func TestHostileSources(t *testing.T) {
	pool := newPool(t, 1)
	cases := readCases(t, "sources")
	require.GreaterOrEqual(t, len(cases), 15)
	goodProgram, err := pool.Compile(t.Context(), "good", picloud.TypeScript, strings.ReplaceAll(goodSource, "(e, ctx)", "(e: any, ctx: any)"))
	require.NoError(t, err)
	before := residentBytes(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			program, err := pool.Compile(t.Context(), "attack", picloud.TypeScript, c.source)
			if err == nil {
				require.Contains(t, c.expect, "any")
				out, err := pool.Run(t.Context(), runOf("hostile", program, limits))
				require.NoError(t, err)
				if out.Failure != nil {
					require.NotEmpty(t, out.Failure.Type)
					require.NotContains(t, out.Failure.Message, "goroutine")
				}
			} else {
				code := picloud.ErrorCode(err)
				require.True(t, slices.Contains(c.expect, code) || slices.Contains(c.expect, "any") && code == "compile_error", "%v", err)
				require.NotContains(t, err.Error(), "root:", "a file of this machine")
				var e *picloud.Error
				require.ErrorAs(t, err, &e)
				for _, f := range e.Fields {
					require.Positive(t, f.Line)
					require.LessOrEqual(t, len(f.Message), 2<<10)
				}
			}
			good(t, pool, "hostile", goodProgram)
			_, err = pool.Compile(t.Context(), "good", picloud.TypeScript, "export default (e: any) => "+strconv.Quote(c.name))
			require.NoError(t, err)
		})
	}
	debug.FreeOSMemory()
	if after := residentBytes(t); before > 0 {
		require.Less(t, after-before, int64(maxGrowthMB)<<20)
	}
}

// residentBytes gives this process's resident memory; 0 where that is not known.
func residentBytes(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	require.NoError(t, err)
	for line := range bytes.Lines(status) {
		if fields := bytes.Fields(line); len(fields) == 3 && string(fields[0]) == "VmRSS:" {
			kb, err := strconv.ParseInt(string(fields[1]), 10, 64)
			require.NoError(t, err)
			return kb << 10
		}
	}
	return 0
}

// neighbour is another app on the same pool, which runs one script after another for as long as the suite takes.
type neighbour struct {
	done  chan struct{}
	ended sync.WaitGroup

	mu        sync.Mutex
	disturbed bool
	alone     []time.Duration // durations of runs while nothing else ran
	beside    []time.Duration // … while an attack ran
	failed    []string
}

func startNeighbour(t *testing.T, pool *sandbox.Pool, p picloud.Program) *neighbour {
	t.Helper()
	n := &neighbour{done: make(chan struct{})}
	n.ended.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-n.done:
				return
			case <-tick.C:
				n.runOnce(t.Context(), pool, p)
			}
		}
	})
	return n
}

func (n *neighbour) runOnce(ctx context.Context, pool *sandbox.Pool, p picloud.Program) {
	began, before := time.Now(), n.isDisturbed()
	out, err := pool.Run(ctx, runOf("neighbour", p, picloud.Limits{}))
	took, after := time.Since(began), n.isDisturbed()
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case err != nil:
		n.failed = append(n.failed, err.Error())
	case out.Failure != nil:
		n.failed = append(n.failed, out.Failure.Error())
	case string(out.Result.Value) != goodResult:
		n.failed = append(n.failed, string(out.Result.Value))
	case before && after:
		n.beside = append(n.beside, took)
	case !before && !after:
		n.alone = append(n.alone, took)
	}
}

func (n *neighbour) isDisturbed() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.disturbed
}

func (n *neighbour) set(disturbed bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.disturbed = disturbed
}

func (n *neighbour) disturb() { n.set(true) }
func (n *neighbour) calm()    { n.set(false) }

// measure waits for some runs that nothing disturbs.
func (n *neighbour) measure(t *testing.T) {
	t.Helper()
	for range time.Tick(time.Millisecond) {
		n.mu.Lock()
		enough := len(n.alone) >= 50 || len(n.failed) > 0
		n.mu.Unlock()
		if enough {
			return
		}
	}
}

func (n *neighbour) stop(t *testing.T) {
	t.Helper()
	close(n.done)
	n.ended.Wait()
	require.Empty(t, n.failed)
	if len(n.beside) == 0 {
		return
	}
	slices.Sort(n.alone)
	slices.Sort(n.beside)
	alone, beside := n.alone[len(n.alone)/2], n.beside[len(n.beside)/2]
	t.Logf("a neighbour's run: %s alone, %s beside an attack, ratio %.2f (medians of %d and %d)", alone, beside, float64(beside)/float64(alone), len(n.alone), len(n.beside))
}
