// Command bench measures PiCloud against the floor of its engine: in one run, on one server and one database, in interleaved rounds. What counts are the
// ratios: absolute figures are the machine's.
//
// The floor is a no-op workflow with one local activity, started eagerly: what any durable execution on this engine costs at least. Beside it stand
// kv-triggered firings of a trivial script, from the PUT of the key to the commit of the execution, and synchronous HTTP calls of the same script.
//
// Ahead of them the sandbox is measured by itself (sandbox.go), then dead letters: lists, groups, and a bulk replay over a kill -9 (letters.go); then how a noisy app delays a
// quiet one (noisy.go). -only leaves the rest out.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/picloud/picloud/internal/sandbox/child"
	"github.com/picloud/picloud/internal/sandbox/program"
	"github.com/picloud/picloud/internal/testkit"
)

// options are the flags.
type options struct {
	binary                   string
	rounds, firings, letters int
	only                     string
}

// parts are what is measured, in this order. Each prints its figures and adds them to the report.
var parts = []struct {
	name    string
	measure func(ctx context.Context, o options, r report) error
}{
	{"sandbox", measureSandbox},
	{"letters", measureLetters},
	{"noisy", measureNoisy},
	{"rates", measureRates},
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == program.Argument { // as picloud: without the tag embedchild it is the program of its children
		child.Main()
	}
	if len(os.Args) > 2 && os.Args[1] == spinnerArgument {
		exit(beSpinner(os.Args[2]))
	}
	var o options
	flag.StringVar(&o.binary, "binary", "bin/picloud", "the program to measure")
	flag.IntVar(&o.rounds, "rounds", 3, "interleaved rounds; medians are printed")
	flag.IntVar(&o.firings, "firings", 2000, "kv-triggered firings a round")
	flag.IntVar(&o.letters, "letters", 10_000, "dead letters that are listed, grouped and replayed")
	flag.StringVar(&o.only, "only", "", "sandbox, letters, noisy or rates: these figures alone")
	flag.Parse()
	exit(interruptible(o))
}

// exit ends the program.
func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// interruptible runs until Ctrl-C at the longest.
func interruptible(o options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	defer testkit.Finish()
	r := newReport(o)
	measured := false
	for _, p := range parts {
		if o.only != "" && o.only != p.name {
			continue
		}
		measured = true
		if err := p.measure(ctx, o, r); err != nil {
			return fmt.Errorf("measure %s: %w", p.name, err)
		}
	}
	if !measured {
		return fmt.Errorf("-only %s: there is no such part", o.only)
	}
	return printReport(os.Stdout, r)
}

// withServer does something with a server of its own.
func withServer(binary string, do func(up *testkit.Instance) error) (err error) {
	up, err := testkit.Launch(binary)
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := up.Stop(); err == nil {
			err = stopErr
		}
	}()
	return do(up)
}

func measureSandbox(ctx context.Context, o options, r report) error {
	figures, err := sandboxFigures(ctx, o.rounds)
	if err != nil {
		return err
	}
	showFigures(os.Stdout, "sandbox", figures, r.Sandbox)
	return nil
}

func measureLetters(ctx context.Context, o options, r report) error {
	figures, err := letterFigures(ctx, o.binary, o.letters)
	if err != nil {
		return err
	}
	showFigures(os.Stdout, "dead letters", figures, r.Letters)
	return nil
}

func measureNoisy(ctx context.Context, o options, r report) error {
	return withServer(o.binary, func(up *testkit.Instance) error {
		figures, err := noisyNeighbour(ctx, up, min(o.rounds, 2))
		if err != nil {
			return err
		}
		showFigures(os.Stdout, "noisy neighbour", figures, r.Noisy)
		return nil
	})
}

func measureRates(ctx context.Context, o options, r report) error {
	return withServer(o.binary, func(up *testkit.Instance) error {
		floor, err := newFloor(up.TemporalAddress)
		if err != nil {
			return err
		}
		defer floor.close()
		load, err := newLoad(ctx, up)
		if err != nil {
			return err
		}
		everything := []int{up.PID, os.Getpid()}
		measures := []*measure{
			{name: floor32, count: o.firings / 2, run: func(ctx context.Context, n int) (float64, error) { return floor.rate(ctx, n, 32) }},
			{name: "kv-triggered firings", floor: floor32, count: o.firings, run: load.firings},
			{name: floor1, count: 150, run: func(ctx context.Context, n int) (float64, error) { return floor.rate(ctx, n, 1) }},
			{name: "sync http, 1 caller", floor: floor1, count: 150, run: func(ctx context.Context, n int) (float64, error) { return load.calls(ctx, n, 1) }},
			{name: floor16, count: o.firings / 4, run: func(ctx context.Context, n int) (float64, error) { return floor.rate(ctx, n, 16) }},
			{name: "sync http, 16 callers", floor: floor16, count: o.firings / 4, run: func(ctx context.Context, n int) (float64, error) { return load.calls(ctx, n, 16) }},
		}
		for round := range o.rounds + 1 { // the first one warms up and is not counted
			for _, m := range measures {
				if err := m.once(ctx, everything, round > 0); err != nil {
					return fmt.Errorf("%s: %w", m.name, err)
				}
				fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round, o.rounds, m)
			}
		}
		show(os.Stdout, measures, r)
		return nil
	})
}
