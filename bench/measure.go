package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// The floors, by how many run at a time.
const (
	floor1  = "floor, 1 at a time"
	floor16 = "floor, 16 at a time"
	floor32 = "floor, 32 at a time"
)

// measure is one line of the table, measured once a round.
type measure struct {
	name  string
	floor string // the measure that it is compared with; "" = it is a floor itself
	count int    // things a round
	run   func(ctx context.Context, count int) (perSecond float64, err error)

	rates []float64                  // a second
	cpu   []float64                  // CPU ms a thing, of everything: server, PostgreSQL, sandbox and this program, which makes the load
	parts []map[string]time.Duration // CPU of each round, by process
}

// once measures one round. pids are the processes that everything descends from; a round that does not count warms up.
func (m *measure) once(ctx context.Context, pids []int, counts bool) error {
	before, err := cpuOf(pids...)
	if err != nil {
		return err
	}
	rate, err := m.run(ctx, m.count)
	if err != nil {
		return err
	}
	after, err := cpuOf(pids...)
	if err != nil || !counts {
		return err
	}
	var sum time.Duration
	for name := range after {
		after[name] -= before[name]
		sum += after[name]
	}
	m.rates, m.parts = append(m.rates, rate), append(m.parts, after)
	m.cpu = append(m.cpu, sum.Seconds()*1000/float64(m.count))
	return nil
}

// String gives the last round.
func (m *measure) String() string {
	if len(m.rates) == 0 {
		return m.name + ": warm"
	}
	i := len(m.rates) - 1
	parts := make([]string, 0, len(m.parts[i]))
	for _, name := range slices.Sorted(maps.Keys(m.parts[i])) {
		parts = append(parts, fmt.Sprintf("%s %.2f", name, m.parts[i][name].Seconds()*1000/float64(m.count)))
	}
	return fmt.Sprintf("%-22s %7.1f/s  cpu ms each: %.2f (%s)", m.name, m.rates[i], m.cpu[i], strings.Join(parts, ", "))
}

// report is the JSON form of a run: medians over the rounds.
type report struct {
	Rounds   int                `json:"rounds"`
	Firings  int                `json:"firings"`
	Rates    map[string]float64 `json:"per_second"`
	Ratios   map[string]float64 `json:"rate_to_floor"`
	CPU      map[string]float64 `json:"cpu_ms_each"`
	CPURatio map[string]float64 `json:"cpu_to_floor"`
	Sandbox  map[string]float64 `json:"sandbox"`         // by name and unit
	Noisy    map[string]float64 `json:"noisy_neighbour"` // likewise
	Letters  map[string]float64 `json:"dead_letters"`    // likewise
}

func newReport(o options) report {
	return report{
		Rounds: o.rounds, Firings: o.firings, Sandbox: map[string]float64{}, Noisy: map[string]float64{}, Letters: map[string]float64{},
		Rates: map[string]float64{}, Ratios: map[string]float64{}, CPU: map[string]float64{}, CPURatio: map[string]float64{},
	}
}

// figure is a line of a part of its own.
type figure struct {
	name  string
	unit  string
	value float64
	aim   string // what DESIGN.md or an issue asks for; "" = nothing
}

// showFigures prints a table of figures, and adds them to a part of the report.
func showFigures(out io.Writer, title string, figures []figure, r map[string]float64) {
	fmt.Fprintf(out, "%-36s %10s %-8s %8s\n", title, "", "", "aim")
	for _, f := range figures {
		fmt.Fprintf(out, "%-36s %10.2f %-8s %8s\n", f.name, f.value, f.unit, f.aim)
		r[f.name+", "+f.unit] = f.value
	}
}

// show prints the table of what is compared with a floor, and adds it to the report.
func show(out io.Writer, measures []*measure, r report) {
	fmt.Fprintf(out, "%-22s %10s %10s %12s %10s\n", fmt.Sprintf("median of %d rounds", r.Rounds), "per second", "of floor", "cpu ms each", "of floor")
	for _, m := range measures {
		r.Rates[m.name], r.CPU[m.name] = median(m.rates), median(m.cpu)
		var rate, cpu string
		if m.floor != "" {
			floor := measures[slices.IndexFunc(measures, func(f *measure) bool { return f.name == m.floor })]
			r.Ratios[m.name], r.CPURatio[m.name] = medianRatio(m.rates, floor.rates), medianRatio(m.cpu, floor.cpu)
			rate, cpu = fmt.Sprintf("%.2f", r.Ratios[m.name]), fmt.Sprintf("%.2f", r.CPURatio[m.name])
		}
		fmt.Fprintf(out, "%-22s %10.1f %10s %12.1f %10s\n", m.name, r.Rates[m.name], rate, r.CPU[m.name], cpu)
	}
}

// printReport prints the report as one line of JSON.
func printReport(out io.Writer, r report) error {
	if err := json.NewEncoder(out).Encode(r); err != nil {
		return fmt.Errorf("print report: %w", err)
	}
	return nil
}

// medianRatio takes the ratio of each round's pair, then the median: what the machine does between rounds does not count.
func medianRatio(a, b []float64) float64 {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i] / b[i]
	}
	return median(ratios)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}
