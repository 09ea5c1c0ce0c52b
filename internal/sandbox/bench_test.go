package sandbox_test

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox"
	"github.com/picloud/picloud/internal/sandbox/child"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

func BenchmarkRun(b *testing.B) {
	bench := newBench(b, runtime.GOMAXPROCS(0))
	program := bench.compile(hundredLines)
	run := attempt(program)
	bench.runAs(run)
	b.ResetTimer()
	for b.Loop() {
		if out, err := bench.pool.Run(b.Context(), run); err != nil || out.Failure != nil {
			b.Fatal(err, out.Failure)
		}
	}
}

func BenchmarkRunParallel(b *testing.B) {
	bench := newBench(b, runtime.GOMAXPROCS(0))
	run := attempt(bench.compile(hundredLines))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if out, err := bench.pool.Run(b.Context(), run); err != nil || out.Failure != nil {
				b.Error(err, out.Failure)
			}
		}
	})
}

func BenchmarkEcho95KB(b *testing.B) {
	bench := newBench(b, 1)
	run := attempt(bench.compile("export default (e: any) => e.data"))
	var items []string
	for i := range 1000 {
		items = append(items, fmt.Sprintf(`{"id":%d,"name":"customer number %d","tags":["a","b"],"total":%d.5,"open":true}`, i, i, i))
	}
	run.Event.Data = []byte("[" + strings.Join(items, ",") + strings.Repeat(" ", 20000) + "]")
	b.SetBytes(int64(len(run.Event.Data)))
	b.ResetTimer()
	for b.Loop() {
		bench.runAs(run)
	}
}

// One op is one host call: 500 of them, one after another, in each run.
func BenchmarkHostCall(b *testing.B) {
	bench := newBench(b, 1)
	run := attempt(bench.compile(`export default async (e: any, ctx: any) => { for (let i = 0; i < e.data; i++) await ctx.kv.get("c", "k" + i) }`))
	b.ResetTimer()
	for left := b.N; left > 0; left -= 500 {
		run.Event.Data = fmt.Append(nil, min(left, 500))
		bench.runAs(run)
	}
}

func BenchmarkCompile(b *testing.B) {
	bench := newBench(b, 1)
	bench.compile(hundredLines)
	b.ResetTimer()
	for b.Loop() {
		bench.compile(hundredLines)
	}
}

// One op is the start of a pool of one and its first run: a child cold.
func BenchmarkChildStart(b *testing.B) {
	self, err := os.Executable()
	require.NoError(b, err)
	warm := newBench(b, 1)
	run := attempt(warm.compile("export default () => 1"))
	b.ResetTimer()
	for b.Loop() {
		pool, err := sandbox.New(sandbox.Options{Command: []string{self, "sandbox-child"}, Size: 1, KV: &memoryKV{}, Log: silent()})
		require.NoError(b, err)
		_, err = pool.Run(b.Context(), run)
		require.NoError(b, err)
		pool.Close()
	}
}

// One op is a run in the place of a child that has just died of its script.
func BenchmarkReplacement(b *testing.B) {
	bench := newBench(b, 2)
	good, bad := attempt(bench.compile("export default () => 1")), attempt(bench.compile(`export default () => "x".repeat(2 ** 40)`))
	b.ResetTimer()
	for b.Loop() {
		b.StopTimer()
		bench.runAs(bad)
		b.StartTimer()
		bench.runAs(good)
	}
}

var hundredLines = func() string {
	var s strings.Builder
	s.WriteString("interface Line { sku: string; quantity: number; price: number }\nclass Order {\n  lines: Line[] = [];\n  constructor(readonly id: string) {}\n  total(): number { return this.lines.reduce((sum, l) => sum + l.quantity * l.price, 0) }\n}\n")
	for i := range 22 {
		fmt.Fprintf(&s, "function step%d(o: Order): number {\n  o.lines.push({ sku: 'sku-%d', quantity: %d, price: 1.5 });\n  return o.lines.filter(l => l.quantity > 3).length\n}\n", i, i, i%7)
	}
	s.WriteString("export default async function (event: any, ctx: any) {\n  const order = new Order(event.subject);\n")
	for i := range 22 {
		fmt.Fprintf(&s, "  step%d(order);\n", i)
	}
	s.WriteString("  await null;\n  return { id: order.id, total: order.total(), text: order.lines.map(l => l.sku).join(',') }\n}\n")
	return s.String()
}()

var _ picloud.Sandbox = (*sandbox.Pool)(nil)
var _ picloud.Compiler = (*sandbox.Pool)(nil)

// One op is the work of BenchmarkRunParallel in this process: what the children cost beyond it is the price of the isolation.
func BenchmarkLocalParallel(b *testing.B) {
	bench := newBench(b, 1)
	run := attempt(bench.compile(hundredLines))
	event, err := json.Marshal(run.Event)
	require.NoError(b, err)
	defer debug.SetGCPercent(debug.SetGCPercent(child.GCPercent))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		local := child.NewLocal(picloud.DefaultLimits.MemoryMB)
		head := frame.Run{Limits: picloud.DefaultLimits, Time: time.Now(), Event: event, Program: frame.Program{SHA256: run.Program.SHA256}}
		for pb.Next() {
			if done, _, err := local.Run(head, nil, run.Program.Code, run.Program.SourceMap); err != nil || done.Failure != nil {
				b.Error(err, done.Failure)
			}
		}
	})
}
