// Command bench measures PiCloud against the floor of its engine: in one run, on one server and one database, in interleaved rounds. What counts are the
// ratios: absolute figures are the machine's.
//
// The floor is a no-op workflow with one local activity, started eagerly: what any durable execution on this engine costs at least. Beside it stand
// kv-triggered firings of a trivial script, from the PUT of the key to the commit of the execution, and synchronous HTTP calls of the same script.
//
// Ahead of them the sandbox is measured by itself (sandbox.go), and how a noisy app delays a quiet one (noisy.go). Behind them come dead letters: lists, groups, and
// a bulk replay over a kill -9 (letters.go). -only sandbox, -only noisy and -only letters leave the rest out.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/picloud/picloud/internal/testkit"
)

func main() {
	binary := flag.String("binary", "bin/picloud", "the program to measure")
	rounds := flag.Int("rounds", 3, "interleaved rounds; medians are printed")
	firings := flag.Int("firings", 2000, "kv-triggered firings a round")
	letters := flag.Int("letters", 10_000, "dead letters that are listed, grouped and replayed")
	only := flag.String("only", "", "sandbox, noisy, letters: these figures alone")
	flag.Parse()
	if err := interruptible(*binary, *rounds, *firings, *letters, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// interruptible runs until Ctrl-C at the longest.
func interruptible(binary string, rounds, firings, letters int, only string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	defer testkit.Finish()
	switch only {
	case "noisy":
		return run(ctx, binary, newReport(nil, rounds, 0))
	case "letters":
		r := newReport(nil, rounds, 0)
		if err := measureLetters(ctx, binary, letters, r); err != nil {
			return err
		}
		return printReport(os.Stdout, r)
	}
	figures, err := sandboxFigures(ctx, binary, rounds)
	if err != nil {
		return fmt.Errorf("measure sandbox: %w", err)
	}
	showSandbox(os.Stdout, figures)
	if only == "sandbox" {
		return printReport(os.Stdout, newReport(figures, rounds, 0))
	}
	r := newReport(figures, rounds, firings)
	if err := measureLetters(ctx, binary, letters, r); err != nil {
		return err
	}
	return run(ctx, binary, r)
}

// measureLetters measures dead letters, on a server of their own, and adds the figures to the report.
func measureLetters(ctx context.Context, binary string, letters int, r report) error {
	figures, err := letterFigures(ctx, binary, letters)
	if err != nil {
		return fmt.Errorf("measure dead letters: %w", err)
	}
	for _, f := range figures {
		r.Letters[f.name+", "+f.unit] = f.value
		fmt.Fprintf(os.Stdout, "%-32s %8.2f %s\n", f.name, f.value, f.unit)
	}
	return nil
}

func run(ctx context.Context, binary string, r report) (err error) {
	rounds, firings := r.Rounds, r.Firings
	fmt.Fprintln(os.Stderr, "starting a server of its own ...")
	up, err := testkit.Launch(binary)
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := up.Stop(); err == nil {
			err = stopErr
		}
	}()
	noisy, err := noisyNeighbour(ctx, up, min(rounds, 2))
	if err != nil {
		return fmt.Errorf("noisy neighbour: %w", err)
	}
	for _, f := range noisy {
		r.Noisy[f.name+", "+f.unit] = f.value
		fmt.Fprintf(os.Stdout, "%-32s %8.2f %s\n", f.name, f.value, f.unit)
	}
	if firings == 0 {
		return printReport(os.Stdout, r)
	}
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
		{name: floor32, count: firings / 2, run: func(ctx context.Context, n int) (float64, error) { return floor.rate(ctx, n, 32) }},
		{name: "kv-triggered firings", floor: floor32, count: firings, run: load.firings},
		{name: floor1, count: 150, run: func(ctx context.Context, n int) (float64, error) { return floor.rate(ctx, n, 1) }},
		{name: "sync http, 1 caller", floor: floor1, count: 150, run: func(ctx context.Context, n int) (float64, error) { return load.calls(ctx, n, 1) }},
		{name: floor16, count: firings / 4, run: func(ctx context.Context, n int) (float64, error) { return floor.rate(ctx, n, 16) }},
		{name: "sync http, 16 callers", floor: floor16, count: firings / 4, run: func(ctx context.Context, n int) (float64, error) { return load.calls(ctx, n, 16) }},
	}
	for round := range rounds + 1 { // the first one warms up and is not counted
		for _, m := range measures {
			if err := m.once(ctx, everything, round > 0); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round, rounds, m)
		}
	}
	return show(os.Stdout, measures, r)
}
