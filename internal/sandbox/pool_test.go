package sandbox_test

import (
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox"
	"github.com/picloud/picloud/internal/testkit"
)

// testPatience is how long a test waits for what must come.
const testPatience = 20 * time.Second

// sandboxMemoryUnknown is so where /proc is not.
const sandboxMemoryUnknown = runtime.GOOS != "linux"

// These tests count the children of this process, and so are not parallel.

// newcomers runs f and tells how many children have come that were not there before, once so many have.
func newcomers(t *testing.T, want int, f func()) {
	t.Helper()
	before := children(t)
	f()
	testkit.Until(t, testPatience, "children are replaced", func() bool {
		fresh := 0
		for _, pid := range children(t) {
			if !slices.Contains(before, pid) {
				fresh++
			}
		}
		return fresh == want
	})
}

func TestChildIsReplacedAfterItsRuns(t *testing.T) {
	b := newBench(t, 1)
	b.pool.Retire(5, 100, 1<<20)
	program := b.compile("export default () => 1")
	b.runAs(attempt(program)) // takes the spare: another one comes
	testkit.Until(t, testPatience, "the compiler, the app's own and a spare are there", func() bool { return len(children(t)) == 3 })
	for range 3 {
		newcomers(t, 0, func() { b.runAs(attempt(program)) })
	}
	newcomers(t, 1, func() {
		b.runAs(attempt(program)) // its last
		b.runAs(attempt(program))
	})
}

func TestChildIsReplacedOverItsMemory(t *testing.T) {
	if sandboxMemoryUnknown {
		t.Skip("only Linux says how much memory a process holds")
	}
	b := newBench(t, 1)
	program := b.compile("export default () => 1")
	b.pool.Retire(1000, 2, -picloud.DefaultLimits.MemoryMB) // everything is too much
	b.runAs(attempt(program))
	newcomers(t, 1, func() {
		b.runAs(attempt(program))
		b.runAs(attempt(program))
	})
}

func TestChildServesOneApp(t *testing.T) {
	b := newBench(t, 1)
	program := b.compile("export default () => 1")
	for _, app := range []string{"a", "b", "c"} {
		newcomers(t, 1, func() {
			run := attempt(program)
			run.AppID = app
			b.runAs(run)
		})
	}
	run := attempt(program)
	run.AppID = "a"
	newcomers(t, 0, func() { b.runAs(run) })
}

func TestChildIsReplacedAfterALimit(t *testing.T) {
	b := newBench(t, 1)
	bad, good := attempt(b.compile("export default (e: any, ctx: any) => { for (;;) ctx.kv.get('a', 'b') }")), attempt(b.compile("export default () => 1"))
	b.runAs(good)
	newcomers(t, 1, func() {
		require.Equal(t, "HostCallLimitExceeded", b.runAs(bad).Failure.Type)
		require.Nil(t, b.runAs(good).Failure)
	})
}

func TestChildThatDiedIdleCostsNoRun(t *testing.T) {
	b := newBench(t, 1)
	run := attempt(b.compile("export default () => 1"))
	require.Nil(t, b.runAs(run).Failure)
	for range 3 {
		killed := children(t)
		for _, pid := range killed {
			if p, err := os.FindProcess(pid); err == nil {
				_ = p.Kill()
			}
		}
		testkit.Until(t, testPatience, "they are dead", func() bool {
			return !slices.ContainsFunc(children(t), func(pid int) bool { return slices.Contains(killed, pid) })
		})
		require.Nil(t, b.runAs(run).Failure)
	}
}

// A child that dies before it has read its run is replaced; where all do so, the run fails.
func TestRunThatWasNotDelivered(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	pool, err := sandbox.New(sandbox.Options{Command: []string{self, "liar", "dies before it reads"}, Size: 1, KV: &memoryKV{}, Log: silent()})
	require.NoError(t, err)
	defer pool.Close()
	out, err := pool.Run(t.Context(), attempt(picloud.Program{SHA256: "x", Code: make([]byte, 1<<20)}))
	require.NoError(t, err)
	require.Equal(t, "SandboxDied", out.Failure.Type)
	require.Contains(t, out.Failure.Message, "gone")
}

func TestRefusedLayersAreSaidOnceOrEndTheStart(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	log, lines := test.NewNullLogger()
	options := sandbox.Options{Command: []string{self, "liar", lacksLandlock}, Size: 2, KV: &memoryKV{}, Log: log}
	pool, err := sandbox.New(options)
	require.NoError(t, err)
	for range 3 {
		run := attempt(picloud.Program{SHA256: "x", Code: []byte("x")})
		run.Limits.Wall = time.Millisecond
		_, _ = pool.Run(t.Context(), run)
	}
	pool.Close()
	warnings := 0
	for _, e := range lines.AllEntries() {
		if e.Level == logrus.WarnLevel {
			require.Contains(t, e.Data, "layers")
			warnings++
		}
	}
	require.Equal(t, 1, warnings)

	options.RequireAll = true
	_, err = sandbox.New(options)
	require.ErrorContains(t, err, "landlock")
}

// On a machine that has everything, a child gets everything.
func TestThisMachineRefusesNoLayer(t *testing.T) {
	if sandboxMemoryUnknown {
		t.Skip("only Linux has the layers")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	pool, err := sandbox.New(sandbox.Options{Command: []string{self, "sandbox-child"}, Size: 1, KV: &memoryKV{}, Log: silent(), RequireAll: true})
	require.NoError(t, err)
	pool.Close()
}

func TestAProgramThatIsNotThereIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	_, err := sandbox.New(sandbox.Options{Command: []string{"./no-such-program"}, Size: 1, KV: newBench(t, 1).kv, Log: silent()})
	require.ErrorContains(t, err, "no-such-program")
}
