package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dop251/goja"
	"github.com/sirupsen/logrus"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox"
	"github.com/picloud/picloud/internal/sandbox/child"
	"github.com/picloud/picloud/internal/sandbox/frame"
	"github.com/picloud/picloud/internal/sandbox/program"
)

// sandboxWorkers is how many runs there are at a time where throughput is measured.
const sandboxWorkers = 2

// emptyStore is a key-value store without keys: what is measured is the way to it.
type emptyStore struct{}

// KVGet implements picloud.KVReader.
func (emptyStore) KVGet(context.Context, string, string, string) (picloud.KVEntry, error) {
	return picloud.KVEntry{}, nil
}

// KVList implements picloud.KVReader.
func (emptyStore) KVList(context.Context, string, string, string, picloud.Page) (picloud.List[picloud.KVEntry], error) {
	return picloud.List[picloud.KVEntry]{}, nil
}

// sandboxFigures measures the sandbox by itself. Its children are the binary's: make bench builds both with the same small program.
func sandboxFigures(ctx context.Context, rounds int) ([]figure, error) {
	command, err := program.Command()
	if err != nil {
		return nil, err
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	pool, err := sandbox.New(sandbox.Options{Command: command, Size: sandboxWorkers + 1, KV: emptyStore{}, Log: log})
	if err != nil {
		return nil, fmt.Errorf("start sandbox: %w", err)
	}
	defer pool.Close()
	b := &sandboxBench{pool: pool, rounds: rounds}
	for _, measure := range []func(context.Context) error{b.throughput, b.hostCall, b.compile, b.echo, b.replacement} {
		if err := measure(ctx); err != nil {
			return nil, err
		}
	}
	return b.figures, nil
}

// sandboxBench collects figures.
type sandboxBench struct {
	pool    *sandbox.Pool
	rounds  int
	figures []figure
}

func (b *sandboxBench) add(name, unit string, value float64, aim string) {
	b.figures = append(b.figures, figure{name: name, unit: unit, value: value, aim: aim})
}

func (b *sandboxBench) program(ctx context.Context, source string) (picloud.Program, error) {
	return b.pool.Compile(ctx, "bench", picloud.TypeScript, source)
}

func runOf(p picloud.Program, data string) picloud.Run {
	return picloud.Run{
		ExecutionID: "bench", AppID: "bench", App: "bench", Script: "bench", Version: 1, Program: p, Attempt: 1,
		Event: picloud.Event{SpecVersion: "1.0", ID: "bench", Type: picloud.TypeKVCreated, Subject: "42", Time: time.Now(), Data: json.RawMessage(data)},
	}
}

// run runs once; a failure of the script is an error.
func (b *sandboxBench) run(ctx context.Context, r picloud.Run) (picloud.Outcome, error) {
	out, err := b.pool.Run(ctx, r)
	if err == nil && out.Failure != nil {
		err = out.Failure
	}
	return out, err
}

// throughput compares children with the same work in this process, in interleaved rounds. The same work is what a child does for a run: the same runtime
// with its globals, console and limits, and the same collector setting; what it spares are process, socket, frames and what the server checks. A bare
// runtime, which has none of all that, stands beside them, and the least that a process of its own costs on this machine (isolation.go).
func (b *sandboxBench) throughput(ctx context.Context) error {
	const runs = 4000
	program, err := b.program(ctx, hundredLines())
	if err != nil {
		return err
	}
	bare, err := goja.Compile("bench", string(program.Code), true)
	if err != nil {
		return fmt.Errorf("compile for this process: %w", err)
	}
	const data = `{"value":{"total":150}}`
	var locals [sandboxWorkers]*child.Local
	for i := range locals {
		locals[i] = child.NewLocal(picloud.DefaultLimits.MemoryMB)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(child.GCPercent))
	inProcess := func(worker int) error { return runLocal(locals[worker], program, data) }
	trial := &side{run: inProcess}
	for _, counts := range []bool{false, true} {
		if err := trial.measure(runs, counts); err != nil {
			return err
		}
	}
	rounds := spinFor(time.Duration(sandboxWorkers / trial.rates[0] * float64(time.Second)))
	spinning, err := startSpinners(sandboxWorkers, rounds)
	defer spinning.close()
	if err != nil {
		return err
	}
	sides := []*side{
		{name: "100 lines in children", run: func(int) error { _, err := b.run(ctx, runOf(program, data)); return err }},
		{name: "100 lines in process", run: inProcess},
		{name: "100 lines in a bare runtime", run: func(int) error { return runBare(bare, data) }},
		{name: "as long in idle children", run: spinning.ask},
		{name: "as long in process", run: func(int) error { spin(rounds); return nil }},
	}
	for round := range b.rounds + 1 {
		for _, s := range sides {
			if err := s.measure(runs, round > 0); err != nil { // the first one warms up
				return err
			}
		}
	}
	for _, s := range sides {
		b.add(s.name, "/s", median(s.rates), "")
		b.add(s.name+", CPU", "µs", median(s.cpu), "")
	}
	b.add("children of in process", "×", medianRatio(sides[0].rates, sides[1].rates), "≥ 0.8")
	b.add("idle children of in process", "×", medianRatio(sides[3].rates, sides[4].rates), "")
	b.add("children of a bare runtime", "×", medianRatio(sides[0].rates, sides[2].rates), "")
	b.add("in process of children, CPU", "×", medianRatio(sides[1].cpu, sides[0].cpu), "")
	return nil
}

// side is one way to run the same script.
type side struct {
	name  string
	run   func(worker int) error
	rates []float64 // runs a second, by round
	cpu   []float64 // CPU µs a run, of this process and its children, by round
}

// measure runs often, by all workers.
func (s *side) measure(runs int, counts bool) error {
	before, err := cpuSum()
	if err != nil {
		return err
	}
	began := time.Now()
	err = each(sandboxWorkers, sandboxWorkers, func(worker int) error {
		for range runs / sandboxWorkers {
			if err := s.run(worker); err != nil {
				return err
			}
		}
		return nil
	})
	rate := float64(runs) / time.Since(began).Seconds()
	after, failed := cpuSum()
	if err == nil {
		err = failed
	}
	if counts {
		s.rates, s.cpu = append(s.rates, rate), append(s.cpu, float64((after-before).Microseconds())/float64(runs))
	}
	return err
}

// cpuSum gives the CPU time of this process and its children.
func cpuSum() (sum time.Duration, err error) {
	parts, err := cpuOf(os.Getpid())
	for _, d := range parts {
		sum += d
	}
	return sum, err
}

// runLocal runs a program in this process with all that a child gives it.
func runLocal(local *child.Local, program picloud.Program, data string) error {
	run := runOf(program, "")
	run.Event.Data = nil
	event, err := json.Marshal(run.Event)
	if err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	done, body, err := local.Run(frame.Run{
		ExecutionID: run.ExecutionID, App: run.App, Script: run.Script, Version: run.Version, Attempt: run.Attempt, Limits: picloud.DefaultLimits, Time: time.Now(),
		Event: event, Program: frame.Program{SHA256: program.SHA256},
	}, []byte(data), program.Code, program.SourceMap)
	switch {
	case err != nil:
		return err
	case done.Failure != nil:
		return done.Failure
	case !json.Valid(body):
		return errors.New("the result is no JSON")
	}
	return nil
}

// runBare runs a program in this process, with no limit, no console and no web classes: the least that a fresh runtime costs.
func runBare(program *goja.Program, data string) error {
	vm := goja.New()
	if _, err := vm.RunProgram(program); err != nil {
		return fmt.Errorf("run program: %w", err)
	}
	script, ok := goja.AssertFunction(vm.Get("__picloud_script").(*goja.Object).Get("default"))
	stringify, _ := goja.AssertFunction(vm.Get("JSON").(*goja.Object).Get("stringify"))
	parse, _ := goja.AssertFunction(vm.Get("JSON").(*goja.Object).Get("parse"))
	if !ok {
		return errors.New("the program has no default export")
	}
	event, err := parse(nil, vm.ToValue(`{"subject":"42","data":`+data+`}`))
	if err != nil {
		return fmt.Errorf("parse event: %w", err)
	}
	v, err := script(nil, event, vm.NewObject())
	if err != nil {
		return fmt.Errorf("run script: %w", err)
	}
	if promise, ok := v.Export().(*goja.Promise); ok {
		if promise.State() != goja.PromiseStateFulfilled {
			return errors.New("the script did not end")
		}
		v = promise.Result()
	}
	_, err = stringify(nil, v)
	if err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

// hostCall measures one call to the server and back, from runs that make 500 one after another.
func (b *sandboxBench) hostCall(ctx context.Context) error {
	const calls = 500
	program, err := b.program(ctx, "export default async (e: any, ctx: any) => { for (let i = 0; i < e.data; i++) await ctx.kv.get('c', 'k' + i) }")
	if err != nil {
		return err
	}
	took, err := b.durations(50, func() error { _, err := b.run(ctx, runOf(program, strconv.Itoa(calls))); return err })
	b.add("host call p50", "µs", micros(took)/calls, "≤ 60")
	return err
}

func (b *sandboxBench) compile(ctx context.Context) error {
	var n atomic.Int64
	took, err := b.durations(100, func() error {
		_, err := b.program(ctx, fmt.Sprintf("%s// %d\n", hundredLines(), n.Add(1)))
		return err
	})
	b.add("compile 100 lines p50", "ms", micros(took)/1000, "≤ 10")
	return err
}

// echo measures a run that gives back its event's data of 95 KB.
func (b *sandboxBench) echo(ctx context.Context) error {
	program, err := b.program(ctx, "export default (e: any) => e.data")
	if err != nil {
		return err
	}
	var items []string
	for i := range 1160 {
		items = append(items, fmt.Sprintf(`{"id":%d,"name":"customer number %d","tags":["a","b"],"total":%d.5,"open":true}`, i, i, i))
	}
	data := "[" + strings.Join(items, ",") + "]"
	bare, err := goja.Compile("bench", string(program.Code), true)
	if err != nil {
		return fmt.Errorf("compile for this process: %w", err)
	}
	took, err := b.durations(200, func() error { _, err := b.run(ctx, runOf(program, data)); return err })
	if err != nil {
		return err
	}
	tookBare, err := b.durations(50, func() error { return runBare(bare, data) })
	b.add(fmt.Sprintf("echo of %d KB p50", len(data)>>10), "ms", micros(took)/1000, "≤ 3")
	b.add("echo of one in a bare runtime", "×", micros(took)/micros(tookBare), "")
	return err
}

// replacement measures the first run after one that killed its child: what it takes to have a child again.
func (b *sandboxBench) replacement(ctx context.Context) error {
	good, err := b.program(ctx, "export default () => 1")
	if err != nil {
		return err
	}
	bad, err := b.program(ctx, "export default () => 'x'.repeat(2 ** 40)")
	if err != nil {
		return err
	}
	took, err := b.durations(40, func() error { _, err := b.run(ctx, runOf(good, "null")); return err }, func() error {
		out, err := b.pool.Run(ctx, runOf(bad, "null"))
		if err == nil && out.Failure == nil {
			err = errors.New("the script that dies did not")
		}
		return err
	})
	b.add("run after a killed child p50", "ms", micros(took)/1000, "≤ 20")
	return err
}

// durations measures n calls, each after the preparations, which do not count.
func (b *sandboxBench) durations(n int, do func() error, prepare ...func() error) ([]time.Duration, error) {
	took := make([]time.Duration, 0, n)
	for range n {
		for _, p := range prepare {
			if err := p(); err != nil {
				return nil, err
			}
		}
		began := time.Now()
		if err := do(); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

// micros gives the median in microseconds.
func micros(took []time.Duration) float64 {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return float64(took[len(took)/2].Nanoseconds()) / 1000
}

// hundredLines is a script of about a hundred lines, as people write them.
func hundredLines() string {
	var s strings.Builder
	s.WriteString("interface Line { sku: string; quantity: number; price: number }\nclass Order {\n  lines: Line[] = [];\n  constructor(readonly id: string) {}\n" +
		"  total(): number { return this.lines.reduce((sum, l) => sum + l.quantity * l.price, 0) }\n}\n")
	for i := range 18 {
		fmt.Fprintf(&s, "function step%d(o: Order): number {\n  o.lines.push({ sku: 'sku-%d', quantity: %d, price: 1.5 });\n  return o.lines.filter(l => l.quantity > 3).length\n}\n", i, i, i%7)
	}
	s.WriteString("export default async function (event: any, ctx: any) {\n  const order = new Order(event.subject);\n")
	for i := range 18 {
		fmt.Fprintf(&s, "  step%d(order);\n", i)
	}
	s.WriteString("  await null;\n  return { id: order.id, total: order.total(), text: order.lines.map(l => l.sku).join(',') }\n}\n")
	return s.String()
}
