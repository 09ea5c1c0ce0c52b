package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/apply"
	"github.com/picloud/picloud/internal/testkit"
)

const app = "bench"

// script is trivial on purpose: what is measured is everything around it.
const script = `export default async function (event: any) { return { ok: true, subject: event.subject }; }`

const manifest = `
app: bench
scripts: { noop: { source: noop.ts } }
triggers:
  - { name: on-item, kind: kv, script: noop, config: { collection: "items:*" } }
`

// load is the work of users: keys that fire a trigger, and calls of an endpoint.
type load struct {
	up    *testkit.Instance
	http  *http.Client
	round atomic.Int64
}

func newLoad(ctx context.Context, up *testkit.Instance) (*load, error) {
	if err := deploy(ctx, up, map[string]string{"noop.ts": script, apply.ManifestName: manifest}); err != nil {
		return nil, err
	}
	return &load{up: up, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}, nil
}

// each calls do for 0 … n-1, so many at a time, until the first error.
func each(n, atATime int, do func(i int) error) error {
	var (
		next  atomic.Int64
		wg    sync.WaitGroup
		mutex sync.Mutex
		all   error
	)
	for range atATime {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					mutex.Lock()
					all = errors.Join(all, err)
					mutex.Unlock()
					return
				}
			}
		})
	}
	wg.Wait()
	return all
}

func (l *load) request(ctx context.Context, method, path, body string, want int) error {
	r, err := http.NewRequestWithContext(ctx, method, l.up.URL+path, strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+l.up.Key)
	r.Header.Set("Content-Type", "application/json")
	answer, err := l.http.Do(r)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer answer.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != want {
		err = fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, text)
	}
	return err
}

// calls makes n synchronous calls of the endpoint.
func (l *load) calls(ctx context.Context, n, atATime int) (float64, error) {
	began := time.Now()
	err := each(n, atATime, func(int) error { return l.request(ctx, http.MethodPost, "/run/"+app+"/noop", `{"n":1}`, http.StatusOK) })
	return float64(n) / time.Since(began).Seconds(), err
}

// firings writes n keys, each of which fires the trigger, and gives the rate from the first write to the last commit.
func (l *load) firings(ctx context.Context, n int) (float64, error) {
	collection := fmt.Sprintf("items:%d", l.round.Add(1))
	began := time.Now()
	err := each(n, 32, func(i int) error {
		return l.request(ctx, http.MethodPut, fmt.Sprintf("/v1/apps/%s/kv/%s/%06d", app, collection, i), `{"total":100}`, http.StatusOK)
	})
	if err != nil {
		return 0, err
	}
	ended, err := l.settled(ctx, n, began)
	return float64(n) / ended.Sub(began).Seconds(), err
}

// settled waits until n executions that came after began have succeeded, and gives the time of the last commit.
func (l *load) settled(ctx context.Context, n int, began time.Time) (time.Time, error) {
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.Now().Add(5 * time.Minute)
	for {
		done, last, err := l.succeeded(ctx, began)
		if err != nil || done == n {
			return last, err
		}
		if done > n || time.Now().After(deadline) {
			return last, fmt.Errorf("%d of %d executions have succeeded", done, n)
		}
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case <-ticker.C:
		}
	}
}

func (l *load) succeeded(ctx context.Context, began time.Time) (n int, last time.Time, err error) {
	limit, trigger, status, since := 500, "on-item", "succeeded", began.UTC().Format(time.RFC3339Nano)
	params := client.ListExecutionsParams{Limit: &limit, Trigger: &trigger, Since: &since, Status: &status}
	for {
		list, err := l.up.Client.ListExecutionsWithResponse(ctx, app, &params)
		if err != nil {
			return 0, last, fmt.Errorf("list executions: %w", err)
		}
		if list.JSON200 == nil {
			return 0, last, fmt.Errorf("list executions: %s", list.Body)
		}
		for _, x := range list.JSON200.Items {
			n++
			if x.FinishedAt != nil && x.FinishedAt.After(last) {
				last = *x.FinishedAt
			}
		}
		if params.Cursor = list.JSON200.NextCursor; params.Cursor == nil {
			return n, last, nil
		}
	}
}
