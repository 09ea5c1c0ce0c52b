package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/apply"
	"github.com/picloud/picloud/internal/testkit"
)

const (
	lettersApp   = "letters"
	lettersTries = 21            // of each question; medians are printed
	feedAtATime  = 500           // messages of one execution: a script's effects are bounded
	mostWait     = 2 * time.Hour // for all letters to die, and for all replays
	ofTotal      = 3             // the program is killed when a third is replayed
	retryOnce    = "PICLOUD_TRIGGER_RETRY_MAXIMUM_ATTEMPTS=1"
)

// lettersFiles is an app whose orders die until it is told that it is fixed, and count then how often each has run.
var lettersFiles = map[string]string{
	"fulfil.ts": `export default async (event: any, ctx: any) => {
	if (!(await ctx.kv.get("state", "fixed"))) {
		switch (event.data.n % 3) {
			case 0: throw new TypeError("order " + event.data.n + " has no address");
			case 1: throw new RangeError("order " + event.data.n + " is too large");
			default: throw new Error("order " + event.data.n + " is not fixed yet");
		}
	}
	const key = "o" + event.data.n;
	await ctx.kv.set("seen", key, ((await ctx.kv.get("seen", key)) ?? 0) + 1);
}`,
	"feed.ts": `export default async (event: any, ctx: any) => {
	for (let n = event.data.body.from; n < event.data.body.to; n++) await ctx.topics.publish("orders", { n });
}`,
	apply.ManifestName: "app: " + lettersApp + "\nscripts: { fulfil: { source: fulfil.ts }, feed: { source: feed.ts } }\ntriggers:\n  - { name: orders, kind: pubsub, script: fulfil, config: { topic: orders } }\n",
}

// letterFigures lets so many executions die, asks for a page of the letters and for their groups, and replays them all in bulk while the program is killed once in the middle. An error where
// an order has not run exactly once.
func letterFigures(ctx context.Context, binary string, letters int) (_ []figure, err error) {
	up, err := testkit.Launch(binary, retryOnce)
	if err != nil {
		return nil, err
	}
	defer func() {
		if stopErr := up.Stop(); err == nil {
			err = stopErr
		}
	}()
	if err := deploy(ctx, up, lettersFiles); err != nil {
		return nil, err
	}
	l := &load{up: up, http: &http.Client{}}
	began := time.Now()
	for from := 0; from < letters; from += feedAtATime {
		if err := l.request(ctx, http.MethodPost, "/run/"+lettersApp+"/feed", fmt.Sprintf(`{"from":%d,"to":%d}`, from, min(from+feedAtATime, letters)), http.StatusOK); err != nil {
			return nil, err
		}
	}
	if err := until(ctx, "letters", letters, func() (int, error) { return unresolved(ctx, up) }); err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "letters: %d have died, %.0f a second\n", letters, float64(letters)/time.Since(began).Seconds())
	page, err := tookMillis(func() error {
		return l.request(ctx, http.MethodGet, "/v1/apps/"+lettersApp+"/dead-letters?resolution=unresolved", "", http.StatusOK)
	})
	if err != nil {
		return nil, err
	}
	groups, err := tookMillis(func() error {
		return l.request(ctx, http.MethodGet, "/v1/apps/"+lettersApp+"/dead-letters/groups", "", http.StatusOK)
	})
	if err != nil {
		return nil, err
	}
	if err := l.request(ctx, http.MethodPut, "/v1/apps/"+lettersApp+"/kv/state/fixed", `true`, http.StatusOK); err != nil {
		return nil, err
	}
	began = time.Now()
	up, err = replayedOverAKill(ctx, binary, up, letters)
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	if err := ranOnce(ctx, up, letters); err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "letters: each of the %d orders has run exactly once\n", letters)
	of := fmt.Sprintf(" of %d letters", letters)
	return []figure{
		{name: "list page" + of, unit: "ms", value: page, aim: "< 50"}, {name: "groups" + of, unit: "ms", value: groups, aim: "< 200"},
		{name: "bulk replay over a kill -9", unit: "s", value: took.Seconds()},
	}, nil
}

// replayedOverAKill replays all letters in bulk, kills the program when a third is replayed, and gives the one that is started on the same data once every replay has run.
func replayedOverAKill(ctx context.Context, binary string, up *testkit.Instance, letters int) (*testkit.Instance, error) {
	pace := float64(letters) / 10 // so that there is a middle
	started, err := up.Client.ReplayDeadLettersWithResponse(ctx, lettersApp, nil, client.BulkReplayRequest{Filter: &client.BulkReplayFilter{}, RatePerSecond: &pace})
	if err != nil {
		return up, fmt.Errorf("replay letters: %w", err)
	}
	if started.JSON202 == nil {
		return up, fmt.Errorf("replay letters: %s", started.Body)
	}
	progress := func() (int, error) {
		got, err := up.Client.GetBulkReplayWithResponse(ctx, lettersApp, started.JSON202.ID)
		if err != nil {
			return 0, fmt.Errorf("get bulk replay: %w", err)
		}
		if got.JSON200 == nil {
			return 0, fmt.Errorf("get bulk replay: %s", got.Body)
		}
		return int(got.JSON200.Replayed), nil
	}
	if err := until(ctx, "replayed before the kill", letters/ofTotal, progress); err != nil {
		return up, err
	}
	up.Kill()
	again, err := testkit.Launch(binary, retryOnce, "PICLOUD_DATA_DIR="+up.DataDir)
	if err != nil {
		return up, err
	}
	up = again
	at, err := progress()
	if err != nil {
		return up, err
	}
	fmt.Fprintf(os.Stderr, "letters: killed and started again at %d of %d\n", at, letters)
	if err := until(ctx, "replayed", letters, progress); err != nil {
		return up, err
	}
	return up, until(ctx, "orders that have run", letters, func() (int, error) { seen, err := orders(ctx, up); return len(seen), err })
}

// ranOnce is an error where an order has run twice, or a letter is left.
func ranOnce(ctx context.Context, up *testkit.Instance, letters int) error {
	seen, err := orders(ctx, up)
	if err != nil {
		return err
	}
	for key, times := range seen {
		if times != 1 {
			return fmt.Errorf("%s has run %d times", key, times)
		}
	}
	left, err := unresolved(ctx, up)
	if err == nil && (left != 0 || len(seen) != letters) {
		err = fmt.Errorf("%d orders have run, %d letters are unresolved", len(seen), left)
	}
	return err
}

func unresolved(ctx context.Context, up *testkit.Instance) (int, error) {
	count, err := up.Client.CountDeadLettersWithResponse(ctx, lettersApp)
	if err != nil {
		return 0, fmt.Errorf("count letters: %w", err)
	}
	if count.JSON200 == nil {
		return 0, fmt.Errorf("count letters: %s", count.Body)
	}
	return int(count.JSON200.Unresolved), nil
}

// orders gives how often each order has run.
func orders(ctx context.Context, up *testkit.Instance) (map[string]int, error) {
	seen := map[string]int{}
	limit := 500
	params := client.ListKVParams{Limit: &limit}
	for {
		page, err := up.Client.ListKVWithResponse(ctx, lettersApp, "seen", &params)
		if err != nil {
			return nil, fmt.Errorf("list orders: %w", err)
		}
		if page.JSON200 == nil {
			return nil, fmt.Errorf("list orders: %s", page.Body)
		}
		for _, e := range page.JSON200.Items {
			var times int
			if err := json.Unmarshal(e.Value, &times); err != nil {
				return nil, fmt.Errorf("read order %s: %w", e.Key, err)
			}
			seen[e.Key] = times
		}
		if params.Cursor = page.JSON200.NextCursor; params.Cursor == nil {
			return seen, nil
		}
	}
}

// until waits until there are so many.
func until(ctx context.Context, what string, want int, count func() (int, error)) error {
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	ctx, stop := context.WithTimeout(ctx, mostWait)
	defer stop()
	for {
		n, err := count()
		if err != nil {
			return err
		}
		if n >= want {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %d of %d: %w", what, n, want, ctx.Err())
		case <-ticker.C:
		}
	}
}

// tookMillis asks some times and gives the median in ms.
func tookMillis(ask func() error) (float64, error) {
	values := make([]float64, 0, lettersTries)
	for range lettersTries {
		began := time.Now()
		if err := ask(); err != nil {
			return 0, err
		}
		values = append(values, time.Since(began).Seconds()*1000)
	}
	return median(values), nil
}
