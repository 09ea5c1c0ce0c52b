package sandbox_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox"
	"github.com/picloud/picloud/internal/testkit"
)

// small are limits that a hostile script hits soon.
var small = picloud.Limits{Wall: 20 * time.Second, CPU: time.Second, MemoryMB: 64, LogBytes: 1 << 10, HostCalls: 20, Effects: 5}

// either of timeout and resource_limit: what comes first depends on the machine.
const either picloud.Reason = "either"

func TestHostileScriptsEndWithTheirOwnError(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	good := b.compile("export default (e: any) => e.subject")
	for name, c := range map[string]struct {
		body    string
		reason  picloud.Reason
		classes []string
	}{
		"endless loop":       {`while (true) {}`, picloud.ReasonTimeout, []string{"CPULimitExceeded"}},
		"endless microtasks": {`const f = (): any => Promise.resolve().then(f); await f()`, either, []string{"CPULimitExceeded", "MemoryLimitExceeded"}},
		"endless wait":       {`await new Promise(r => setTimeout(r, 60000))`, picloud.ReasonTimeout, []string{"WallLimitExceeded"}},
		"finally":            {`for (;;) { try { for (;;) {} } finally { continue } }`, picloud.ReasonTimeout, []string{"CPULimitExceeded"}},
		"endless getter":     {`return { get a() { for (;;) {} } }`, picloud.ReasonTimeout, []string{"CPULimitExceeded"}},
		"endless message":    {`throw Object.defineProperty(new Error(), "message", { get() { for (;;) {} } })`, picloud.ReasonTimeout, []string{"CPULimitExceeded"}},
		"regular expression": {`return /^(a+)\1*b$|^(?=(a+)+b)/.test("a".repeat(40))`, picloud.ReasonTimeout, []string{"CPULimitExceeded"}},
		"array":              {`const a: any[] = []; for (;;) a.push(new Array(1000).fill(1))`, picloud.ReasonResourceLimit, []string{"MemoryLimitExceeded"}},
		"string":             {`let s = "x"; for (;;) s += s`, picloud.ReasonResourceLimit, []string{"MemoryLimitExceeded"}},
		"one giant string":   {`return 'x'.repeat(2 ** 40)`, picloud.ReasonResourceLimit, []string{"MemoryLimitExceeded", "SandboxDied"}},
		"one large string":   {`return 'x'.repeat(2 ** 31).length`, picloud.ReasonResourceLimit, []string{"MemoryLimitExceeded"}},
		"buffer":             {`return new ArrayBuffer(2 ** 31).byteLength`, picloud.ReasonResourceLimit, []string{"MemoryLimitExceeded"}},
		"BigInt":             {`let n = 3n; for (;;) n = n * n`, either, []string{"MemoryLimitExceeded", "CPULimitExceeded"}},
		"promises":           {`const all: any[] = []; for (;;) all.push(new Promise(() => {}))`, either, []string{"MemoryLimitExceeded", "CPULimitExceeded"}},
		"timers":             {`for (;;) setTimeout(() => {}, 60000)`, picloud.ReasonResourceLimit, []string{"MemoryLimitExceeded"}},
		"nesting":            {`return JSON.parse('['.repeat(5e6))`, picloud.ReasonResourceLimit, []string{"StackLimitExceeded", "MemoryLimitExceeded"}},
		"giant result":       {`const a = new Array(3e6).fill("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"); return a`, picloud.ReasonResourceLimit, []string{"MemoryLimitExceeded"}},
		"endless result":     {`let a: any = "x".repeat(100); for (let i = 0; i < 30; i++) a = [a, a, a]; return a`, picloud.ReasonPayloadInvalid, []string{"PayloadLimitExceeded"}},
		"host calls":         {`for (;;) ctx.kv.get("a", "b")`, picloud.ReasonResourceLimit, []string{"HostCallLimitExceeded"}},
		"effects":            {`for (let i = 0; ; i++) await ctx.kv.set("a", "b" + i, i)`, picloud.ReasonResourceLimit, []string{"EffectLimitExceeded"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{TB: t, pool: b.pool, kv: b.kv}
			run := attempt(b.compile("export default async function (event: any, ctx: any) {\n" + c.body + "\n}"))
			run.Limits = small
			if name == "endless wait" {
				run.Limits.Wall = 100 * time.Millisecond
			}
			if c.reason == picloud.ReasonResourceLimit { // which comes first on a slow machine, too
				run.Limits.CPU = 10 * time.Second
			}
			start := time.Now()
			out := b.runAs(run)
			require.NotNil(t, out.Failure)
			classes := c.classes
			if raceDetector { // whose own allocator dies of the memory limit, in its own way
				classes = append(classes, "SandboxDied", "CPULimitExceeded", "WallLimitExceeded")
			} else if c.reason != either {
				require.Equal(t, c.reason, out.Failure.Reason, out.Failure.Error())
			}
			require.Contains(t, classes, out.Failure.Type, out.Failure.Error())
			require.Less(t, time.Since(start), small.Wall+5*time.Second)
			t.Logf("%s after %s: %v", name, time.Since(start).Round(time.Millisecond), out.Failure)

			next := b.runAs(attempt(good))
			require.Nil(t, next.Failure, "%v", next.Failure)
			require.Equal(t, `"42"`, string(next.Result.Value))
		})
	}
}

func TestLimitsAreInTheMessages(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	run := attempt(b.compile(`export default () => { for (;;) {} }`))
	run.Limits = picloud.Limits{Wall: 50 * time.Millisecond}
	require.Contains(t, b.runAs(run).Failure.Message, "50ms")
	run.Limits = picloud.Limits{CPU: 60 * time.Millisecond}
	require.Contains(t, b.runAs(run).Failure.Message, "60ms")
	run.Event.Data = []byte(`"` + strings.Repeat("x", picloud.DefaultLimits.MaxEventBytes()) + `"`)
	require.Equal(t, "PayloadLimitExceeded", b.runAs(run).Failure.Type)
}

func TestDeepCallsEndAtTheirLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	run := attempt(b.compile("function f(n: number): number {\n  return n === 0 ? 0 : f(n - 1) + 1\n}\nexport default (e: any) => { try { return f(e.data) } catch { return 'caught' } }"))
	run.Event.Data = []byte("3900")
	require.Nil(t, b.runAs(run).Failure)
	run.Event.Data = []byte("4100")
	e := b.runAs(run).Failure
	require.Equal(t, picloud.ReasonResourceLimit, e.Reason)
	require.Equal(t, "CallDepthLimitExceeded", e.Type)
	require.Contains(t, e.Message, "limit of 4000 frames")
	require.Contains(t, e.Stack, "fulfil.ts:2:")
	run.Limits.CallDepth = 50
	run.Event.Data = []byte("60")
	require.Contains(t, b.runAs(run).Failure.Message, "limit of 50 frames")
	run.Event.Data = []byte("30")
	require.Nil(t, b.runAs(run).Failure)
}

// What TestMemory… measure is the child's own memory, which the race detector multiplies: make test runs them once more without it.
func skipUnderRace(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("the race detector's own memory counts too")
	}
}

func TestMemoryOfGarbageIsNotHeld(t *testing.T) {
	t.Parallel()
	skipUnderRace(t)
	b := newBench(t, 1)
	run := attempt(b.compile(`export default () => { let n = 0; for (let i = 0; i < 40; i++) n += "x".repeat(10 << 20).length; return n }`))
	run.Limits = picloud.Limits{MemoryMB: 64, Wall: time.Minute, CPU: time.Minute}
	out := b.runAs(run)
	require.Nil(t, out.Failure, "%v", out.Failure)
}

func TestMemoryIsGivenBackByAnIdleChild(t *testing.T) {
	// Not parallel: it looks at every child of this process.
	skipUnderRace(t)
	b := newBench(t, 1)
	out := b.run(`export default () => { const kept = []; for (let i = 0; i < 60; i++) kept.push("x".repeat(1 << 20)); return kept.length }`)
	require.Nil(t, out.Failure, "%v", out.Failure)
	most := func() (n int64) {
		for _, pid := range children(t) {
			n = max(n, sandbox.PrivateBytes(pid))
		}
		return n
	}
	require.Greater(t, most(), int64(60<<20))
	testkit.Until(t, time.Minute, "the memory is given back", func() bool { return most() < 40<<20 })
	require.Equal(t, "1", b.value("return 1"))
}

func TestLogFloodIsCut(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	run := attempt(b.compile(`export default () => { for (let i = 0; i < 100000; i++) console.log(i % 2 ? "" : "line " + i); return "done" }`))
	run.Limits = small
	for range 2 {
		out := b.runAs(run)
		require.Nil(t, out.Failure, "%v", out.Failure)
		size := 0
		for _, l := range out.Logs[:len(out.Logs)-1] {
			size += len(l.Message)
		}
		require.LessOrEqual(t, size, small.LogBytes)
		require.Equal(t, "the log limit is reached: what follows is dropped", out.Logs[len(out.Logs)-1].Message)
	}
}

func TestLogsOfARunThatIsKilledAreKept(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	out := b.run(`export default () => { console.log("before"); for (let i = 0; i < 1e6; i++); return 'x'.repeat(2 ** 40) }`)
	require.NotNil(t, out.Failure)
	require.Len(t, out.Logs, 1)
	require.Equal(t, "before", out.Logs[0].Message)
}

func TestNothingLeaksBetweenRuns(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	poison := b.compile(`export default () => {
		(globalThis as any).left = 1; (Array.prototype as any).map = () => "poisoned"; JSON.stringify = () => "poisoned"; JSON.parse = () => "poisoned" as any;
		Object.prototype.toString = () => "poisoned"; (Promise as any).prototype.then = function () { return this }; (globalThis as any).Response = 1;
		Object.defineProperty(Object.prototype, "data", { get() { return "poisoned" }, set() {} });
		return { fine: [1] } }`)
	clean := b.compile(`export default async (e: any) => [typeof (globalThis as any).left, [1].map(x => x + 1), String({}), e.data.n, JSON.parse("1"), typeof Response, await Promise.resolve(3)]`)
	for range 3 {
		out := b.runAs(attempt(poison))
		require.Nil(t, out.Failure, "%v", out.Failure)
		require.JSONEq(t, `{"fine":[1]}`, string(out.Result.Value))
		require.JSONEq(t, `["undefined",[2],"[object Object]",1.5,1,"function",3]`, string(b.runAs(attempt(clean)).Result.Value))
	}
}

// children gives the ids of the processes that this one has started.
func children(t testing.TB) []int {
	out, err := exec.Command("pgrep", "-P", strconv.Itoa(os.Getpid())).Output()
	if err != nil {
		return nil
	}
	var pids []int
	for _, f := range strings.Fields(string(out)) {
		pid, err := strconv.Atoi(f)
		require.NoError(t, err)
		pids = append(pids, pid)
	}
	return pids
}

func TestChildKilledFromOutsideIsReplaced(t *testing.T) {
	// Not parallel: it kills every child of this process.
	b := newBench(t, 1)
	program := b.compile(`export default async (e: any, ctx: any) => ctx.kv.get("gate", "x")`)
	good := b.compile("export default (e: any) => e.subject")
	entered := make(chan struct{})
	b.kv.gate = func(ctx context.Context) {
		close(entered)
		<-ctx.Done()
	}
	result := make(chan picloud.Outcome)
	go func() {
		out, err := b.pool.Run(context.Background(), attempt(program))
		if err == nil {
			result <- out
		}
		close(result)
	}()
	<-entered
	for _, pid := range children(t) {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill()
		}
	}
	out, ok := <-result
	require.True(t, ok)
	require.Equal(t, picloud.ReasonResourceLimit, out.Failure.Reason)
	require.Equal(t, "SandboxDied", out.Failure.Type)
	require.Contains(t, out.Failure.Message, "signal: killed")
	// The spare ones were killed too: none of them may cost a run.
	for range 5 {
		require.Nil(t, b.runAs(attempt(good)).Failure)
	}
}

func TestCancelEndsTheRun(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	program := b.compile(`export default async (e: any, ctx: any) => { await ctx.kv.get("a", "b"); for (;;) {} }`)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the caller is gone")
	b.kv.gate = func(context.Context) { cancel(why) }
	start := time.Now()
	_, err := b.pool.Run(ctx, attempt(program))
	require.ErrorIs(t, err, why)
	require.Less(t, time.Since(start), 4*time.Second)
	b.kv.gate = nil
	require.Equal(t, "1", b.value("return 1"))
}

func TestCloseEndsRunsAndChildren(t *testing.T) {
	// Not parallel: it counts every child of this process.
	before := len(children(t))
	b := newBench(t, 2)
	program := b.compile(`export default () => { for (;;) {} }`)
	ended := make(chan error)
	for range 2 {
		go func() {
			_, err := b.pool.Run(context.Background(), attempt(program))
			ended <- err
		}()
	}
	testkit.Until(t, 10*time.Second, "children run", func() bool { return len(children(t)) > before })
	b.pool.Close()
	require.Error(t, <-ended)
	require.Error(t, <-ended)
	testkit.Until(t, 10*time.Second, "no child is left", func() bool { return len(children(t)) <= before })
	b.pool.Close()
	_, err := b.pool.Run(t.Context(), attempt(program))
	require.Error(t, err)
}

func TestSeveralAppsAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2)
	program := b.compile(`export default async (e: any, ctx: any) => { const g = globalThis as any; g.n = (g.n ?? 0) + 1; await ctx.kv.set("c", ctx.app, g.n); return ctx.app + g.n }`)
	var all sync.WaitGroup
	for _, app := range []string{"a", "b", "c"} {
		for range 2 {
			all.Go(func() {
				for range 20 {
					run := attempt(program)
					run.AppID, run.App = app, app
					out, err := b.pool.Run(t.Context(), run)
					if err != nil || out.Failure != nil || string(out.Result.Value) != `"`+app+`1"` || out.Effects[0].Key != app {
						t.Errorf("app %s: %v %v %s", app, err, out.Failure, out.Result.Value)
						return
					}
				}
			})
		}
	}
	all.Wait()
}

func TestProgramThatLeftTheCacheIsSentAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	var programs []picloud.Program
	for i := range 70 { // more than a child keeps
		programs = append(programs, b.compile("export default () => "+strconv.Itoa(i)))
	}
	for range 2 {
		for i, p := range programs {
			out := b.runAs(attempt(p))
			require.Nil(t, out.Failure, "%v", out.Failure)
			require.Equal(t, strconv.Itoa(i), string(out.Result.Value))
		}
	}
}
