package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/apply"
	"github.com/picloud/picloud/internal/testkit"
)

// The noisy neighbour: one app has so many firings queued, and another one fires once.
const (
	noisyFirings = 5000
	noisyFan     = 250 // publishes of one execution
	quietSamples = 10  // firings of the quiet app in each phase of a round
)

var neighbours = map[string]map[string]string{
	"quiet": {
		"noop.ts": script, apply.ManifestName: "app: quiet\nscripts: { noop: { source: noop.ts } }\ntriggers:\n  - { name: on-ping, kind: pubsub, script: noop, config: { topic: ping } }\n",
	},
	"noisy": {
		"noop.ts":          script,
		"fan.ts":           fmt.Sprintf(`export default async (_: any, ctx: any) => { for (let i = 0; i < %d; i++) await ctx.topics.publish("ping", i); }`, noisyFan),
		apply.ManifestName: "app: noisy\nscripts: { noop: { source: noop.ts }, fan: { source: fan.ts } }\ntriggers:\n  - { name: on-ping, kind: pubsub, script: noop, config: { topic: ping } }\n",
	},
}

// noisyNeighbour measures how much later the firing of a quiet app comes to its end while a noisy app has its firings queued: medians in ms over all rounds, alone and beside, and their ratio.
func noisyNeighbour(ctx context.Context, up *testkit.Instance, rounds int) ([]figure, error) {
	for _, files := range neighbours {
		if err := deploy(ctx, up, files); err != nil {
			return nil, err
		}
	}
	l := &load{up: up, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	var alone, beside []float64
	for round := range rounds + 1 { // the first one warms up and is not counted
		before, err := l.quiet(ctx, quietSamples)
		if err != nil {
			return nil, err
		}
		if err := each(noisyFirings/noisyFan, 4, func(int) error { return l.request(ctx, http.MethodPost, "/run/noisy/fan", `{}`, http.StatusOK) }); err != nil {
			return nil, err
		}
		queued := time.Now()
		during, err := l.quiet(ctx, 2*quietSamples)
		if err != nil {
			return nil, err
		}
		left, err := l.noisyQueued(ctx)
		if err != nil {
			return nil, err
		}
		if left == 0 {
			return nil, errors.New("the noisy app had nothing queued at the end of the samples: they mean nothing")
		}
		if err := l.quietDown(ctx); err != nil {
			return nil, err
		}
		drained := time.Since(queued)
		after, err := l.quiet(ctx, quietSamples)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "noisy neighbour, round %d of %d: alone %.0f ms, beside %.0f ms (at least %d were queued to the end, all were gone after %.0f s), alone again %.0f ms\n",
			round, rounds, median(before), median(during), left, drained.Seconds(), median(after))
		if round > 0 {
			alone, beside = append(append(alone, before...), after...), append(beside, during...)
		}
	}
	return []figure{
		{name: "quiet app alone", unit: "ms", value: median(alone)}, {name: "quiet app beside a noisy one", unit: "ms", value: median(beside)},
		{name: "beside of alone", unit: "×", value: median(beside) / median(alone), aim: "≤ 3"},
	}, nil
}

func deploy(ctx context.Context, up *testkit.Instance, files map[string]string) error {
	dir, err := os.MkdirTemp("", "picloud-bench-")
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("write app: %w", err)
		}
	}
	m, err := apply.Read(dir)
	if err != nil {
		return err
	}
	return apply.Apply(ctx, up.Client, m, func(string) {})
}

// quiet fires the quiet app n times, one after the other, and gives the ms from each request to the end of its execution, as the database has it.
func (l *load) quiet(ctx context.Context, n int) ([]float64, error) {
	latencies := make([]float64, n)
	wait := "2m"
	for i := range latencies {
		began := time.Now()
		sent, err := l.up.Client.PublishMessageWithResponse(ctx, "quiet", "ping", client.TopicMessage{Data: []byte("1")})
		if err != nil {
			return nil, fmt.Errorf("publish: %w", err)
		}
		if sent.JSON202 == nil || len(sent.JSON202.Executions) != 1 {
			return nil, fmt.Errorf("publish: %s", sent.Body)
		}
		x, err := l.up.Client.GetExecutionWithResponse(ctx, "quiet", sent.JSON202.Executions[0], &client.GetExecutionParams{Wait: &wait})
		if err != nil {
			return nil, fmt.Errorf("await execution: %w", err)
		}
		if x.JSON200 == nil || x.JSON200.FinishedAt == nil {
			return nil, fmt.Errorf("await execution: %s", x.Body)
		}
		latencies[i] = x.JSON200.FinishedAt.Sub(began).Seconds() * 1000
	}
	return latencies, nil
}

// noisyQueued gives how many firings of the noisy app are queued, 500 at most.
func (l *load) noisyQueued(ctx context.Context) (int, error) {
	limit, status := 500, "queued"
	list, err := l.up.Client.ListExecutionsWithResponse(ctx, "noisy", &client.ListExecutionsParams{Limit: &limit, Status: &status})
	if err != nil {
		return 0, fmt.Errorf("list executions: %w", err)
	}
	if list.JSON200 == nil {
		return 0, fmt.Errorf("list executions: %s", list.Body)
	}
	return len(list.JSON200.Items), nil
}

// quietDown waits until the noisy app has nothing queued.
func (l *load) quietDown(ctx context.Context) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		left, err := l.noisyQueued(ctx)
		if err != nil || left == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
