// Command bench measures PiCloud against the floor of its engine: in one run, on one server and one database, in interleaved rounds. What counts are the
// ratios: absolute figures are the machine's.
//
// The floor is a no-op workflow with one local activity, started eagerly: what any durable execution on this engine costs at least. Beside it stand
// kv-triggered firings of a trivial script, from the PUT of the key to the commit of the execution, and synchronous HTTP calls of the same script.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"

	"github.com/picloud/picloud/internal/testkit"
)

// measure is one line of the table: a rate in things a second, measured once a round.
type measure struct {
	name  string
	floor string // the measure that it is a ratio of; "" = it is a floor itself
	run   func(ctx context.Context) (perSecond float64, err error)
	rates []float64
}

// report is the JSON form of a run: medians over the rounds.
type report struct {
	Rounds  int                `json:"rounds"`
	Firings int                `json:"firings"`
	Rates   map[string]float64 `json:"per_second"`
	Ratios  map[string]float64 `json:"ratio_to_floor"`
}

func main() {
	binary := flag.String("binary", "bin/picloud", "the program to measure")
	rounds := flag.Int("rounds", 3, "interleaved rounds; medians are printed")
	firings := flag.Int("firings", 2000, "kv-triggered firings a round")
	flag.Parse()
	if err := interruptible(*binary, *rounds, *firings); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// interruptible runs until Ctrl-C at the longest.
func interruptible(binary string, rounds, firings int) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return run(ctx, binary, rounds, firings)
}

func run(ctx context.Context, binary string, rounds, firings int) (err error) {
	fmt.Fprintln(os.Stderr, "starting a server of its own ...")
	up, err := testkit.Launch(binary)
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := up.Stop(); err == nil {
			err = stopErr
		}
		testkit.Finish()
	}()
	floor, err := newFloor(up.TemporalAddress)
	if err != nil {
		return err
	}
	defer floor.close()
	load, err := newLoad(ctx, up)
	if err != nil {
		return err
	}
	measures := []*measure{
		{name: "floor, 32 at a time", run: func(ctx context.Context) (float64, error) { return floor.rate(ctx, firings/2, 32) }},
		{name: "kv-triggered firings", floor: "floor, 32 at a time", run: func(ctx context.Context) (float64, error) { return load.firings(ctx, firings) }},
		{name: "floor, 1 at a time", run: func(ctx context.Context) (float64, error) { return floor.rate(ctx, 150, 1) }},
		{name: "sync http, 1 caller", floor: "floor, 1 at a time", run: func(ctx context.Context) (float64, error) { return load.calls(ctx, 150, 1) }},
		{name: "floor, 16 at a time", run: func(ctx context.Context) (float64, error) { return floor.rate(ctx, firings/4, 16) }},
		{name: "sync http, 16 callers", floor: "floor, 16 at a time", run: func(ctx context.Context) (float64, error) { return load.calls(ctx, firings/4, 16) }},
	}
	for round := range rounds + 1 { // the first one warms up and is not counted
		for _, m := range measures {
			rate, err := m.run(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			if round > 0 {
				m.rates = append(m.rates, rate)
			}
			fmt.Fprintf(os.Stderr, "round %d of %d: %-22s %7.1f/s\n", round, rounds, m.name, rate)
		}
	}
	return show(measures, rounds, firings)
}

func show(measures []*measure, rounds, firings int) error {
	r := report{Rounds: rounds, Firings: firings, Rates: map[string]float64{}, Ratios: map[string]float64{}}
	for _, m := range measures {
		r.Rates[m.name] = median(m.rates)
	}
	fmt.Fprintf(os.Stdout, "%-22s %10s %14s\n", "median of "+strconv.Itoa(rounds), "per second", "of its floor")
	for _, m := range measures {
		ratio := ""
		if m.floor != "" {
			// The ratio of each round's pair, then the median: what the machine does between rounds does not count.
			pairs := make([]float64, rounds)
			floor := measures[slices.IndexFunc(measures, func(f *measure) bool { return f.name == m.floor })]
			for i := range pairs {
				pairs[i] = m.rates[i] / floor.rates[i]
			}
			r.Ratios[m.name] = median(pairs)
			ratio = fmt.Sprintf("%.2f", r.Ratios[m.name])
		}
		fmt.Fprintf(os.Stdout, "%-22s %10.1f %14s\n", m.name, r.Rates[m.name], ratio)
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		return fmt.Errorf("print report: %w", err)
	}
	return nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}
