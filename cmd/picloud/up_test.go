// Package main_test runs the program as people do, and as machines treat it: killed in the middle, stopped by Ctrl-C.
package main_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/apply"
	"github.com/picloud/picloud/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const settling = 2 * time.Minute

// deployCounter deploys an app whose every written order counts one up, by a script that reads, adds and writes.
func deployCounter(t *testing.T, up *testkit.Instance) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "count.ts"), []byte(`
		export default async function (event: any, ctx: any) {
			await ctx.kv.set("seen", event.subject, ((await ctx.kv.get("seen", event.subject)) ?? 0) + 1);
			const n: number = (await ctx.kv.get("counters", "all")) ?? 0;
			await ctx.kv.set("counters", "all", n + 1);
		}`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, apply.ManifestName), []byte(`
app: shop
scripts: { count: { source: count.ts } }
triggers:
  - { name: on-order, kind: kv, script: count, config: { collection: orders } }
`), 0o600))
	m, err := apply.Read(dir)
	require.NoError(t, err)
	require.NoError(t, apply.Apply(t.Context(), up.Client, m, func(string) {}))
}

func putOrder(ctx context.Context, up *testkit.Instance, key string) error {
	put, err := up.Client.PutKVWithResponse(ctx, "shop", "orders", key, nil, client.PutKVJSONRequestBody(`{"total":1}`))
	if err != nil {
		return err
	}
	if put.StatusCode() >= http.StatusMultipleChoices {
		return errors.New(put.Status())
	}
	return nil
}

func count(t *testing.T, up *testkit.Instance) int {
	t.Helper()
	got, err := up.Client.GetKVWithResponse(t.Context(), "shop", "counters", "all", nil)
	require.NoError(t, err)
	if got.StatusCode() == http.StatusNotFound {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(got.Body)))
	require.NoError(t, err, string(got.Body))
	return n
}

// What was answered with 2xx survives SIGKILL, and its effects happen exactly once.
func TestKilledInTheMiddleNothingIsLostOrDoneTwice(t *testing.T) {
	up := testkit.Up(t)
	deployCounter(t, up)
	var (
		mutex    sync.Mutex
		answered = map[string]bool{} // key → 2xx; false = no answer: it may have happened or not
		wg       sync.WaitGroup
	)
	next := make(chan string)
	for range 8 {
		wg.Go(func() {
			for key := range next {
				err := putOrder(t.Context(), up, key)
				mutex.Lock()
				answered[key] = err == nil
				mutex.Unlock()
			}
		})
	}
	const orders = 300
	for i := range orders {
		next <- fmt.Sprintf("o%04d", i)
		if i == orders/2 {
			testkit.Until(t, settling, "some orders are counted, others still on their way", func() bool { return count(t, up) > 10 })
			up.Kill()
		}
	}
	close(next)
	wg.Wait()

	up = testkit.Up(t, "PICLOUD_DATA_DIR="+up.DataDir)
	t.Logf("second start: %s", up.Took)
	stored := map[string]int{}
	testkit.Eventually(t, settling, func() error {
		seen := list(t, up, "seen")
		orders := list(t, up, "orders")
		clear(stored)
		for key, value := range seen {
			n, err := strconv.Atoi(value)
			require.NoError(t, err)
			stored[key] = n
		}
		if len(stored) != len(orders) {
			return fmt.Errorf("%d orders, %d of them counted", len(orders), len(stored))
		}
		return nil
	})
	n := 0
	for key, ok := range answered {
		if ok {
			assert.Equal(t, 1, stored[key], "%s was answered with 2xx", key)
			n++
		}
	}
	for key, times := range stored {
		assert.Equal(t, 1, times, "%s", key)
	}
	assert.Equal(t, len(stored), count(t, up), "every order is counted exactly once")
	t.Logf("%d orders answered before the kill, %d stored, each counted once", n, len(stored))
	assert.Positive(t, n)
}

func list(t *testing.T, up *testkit.Instance, collection string) map[string]string {
	t.Helper()
	entries := map[string]string{}
	limit := 500
	params := client.ListKVParams{Limit: &limit}
	for {
		page, err := up.Client.ListKVWithResponse(t.Context(), "shop", collection, &params)
		require.NoError(t, err)
		require.NotNil(t, page.JSON200, string(page.Body))
		for _, e := range page.JSON200.Items {
			entries[e.Key] = string(e.Value)
		}
		if params.Cursor = page.JSON200.NextCursor; params.Cursor == nil {
			return entries
		}
	}
}

// children gives the processes below pid, by the kernel's word.
func children(t *testing.T, pid int) []int {
	t.Helper()
	var all []int
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	require.NoError(t, err)
	for _, file := range tasks {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		for field := range strings.FieldsSeq(string(text)) {
			child, err := strconv.Atoi(field)
			require.NoError(t, err)
			all = append(append(all, child), children(t, child)...)
		}
	}
	return all
}

// gone says whether the process has ended, be it that nobody has asked for its exit code yet.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "Z")
}

func TestStopLeavesNoProcessAndKeepsTheData(t *testing.T) {
	up := testkit.Up(t)
	deployCounter(t, up)
	require.NoError(t, putOrder(t.Context(), up, "o1"))
	testkit.Until(t, settling, "the order is counted", func() bool { return count(t, up) == 1 })
	below := children(t, up.PID)
	require.NotEmpty(t, below, "PostgreSQL and the sandbox's children")
	require.NoError(t, up.Stop())
	for _, pid := range below {
		testkit.Until(t, settling, fmt.Sprintf("process %d is gone", pid), func() bool { return gone(pid) })
	}

	again := testkit.Up(t, "PICLOUD_DATA_DIR="+up.DataDir)
	t.Logf("first start %s, second start %s", up.Took, again.Took)
	assert.Equal(t, up.Key, again.Key)
	assert.Equal(t, 1, count(t, again))
	require.NoError(t, putOrder(t.Context(), again, "o2"))
	testkit.Until(t, settling, "the trigger fires after the restart", func() bool { return count(t, again) == 2 })
}

func TestNothingIsReachableWithoutTheKey(t *testing.T) {
	up := testkit.Up(t)
	deployCounter(t, up)
	for path, want := range map[string]int{
		"/healthz": http.StatusOK, "/readyz": http.StatusOK,
		"/": http.StatusUnauthorized, "/v1/apps": http.StatusUnauthorized, "/v1/apps/shop/scripts/count": http.StatusUnauthorized,
		"/run/shop/count": http.StatusUnauthorized, "/temporal/": http.StatusUnauthorized, "/temporal/api/v1/namespaces": http.StatusUnauthorized,
		"/nothing": http.StatusUnauthorized,
	} {
		for _, key := range []string{"", "Bearer wrong", "Basic YWRtaW46d3Jvbmc=", "Bearer " + up.Key + "x"} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, up.URL+path, nil)
			require.NoError(t, err)
			if key != "" {
				request.Header.Set("Authorization", key)
			}
			answer, err := http.DefaultClient.Do(request)
			require.NoError(t, err)
			assert.Equal(t, want, answer.StatusCode, "%s with %q", path, key)
			require.NoError(t, answer.Body.Close())
		}
	}
	assert.NotContains(t, up.Said(), up.Key, "no secret in the log")
}

// A secret given by the environment is neither kept nor said, and the children do not inherit it.
func TestKeyFromTheEnvironment(t *testing.T) {
	key := "a-key-that-is-long-enough"
	up := testkit.Up(t, "PICLOUD_ADMIN_KEY="+key)
	apps, err := up.Client.ListAppsWithResponse(t.Context(), &client.ListAppsParams{}, func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+key)
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, apps.StatusCode())
	assert.NotContains(t, up.Said(), key)
	for _, pid := range children(t, up.PID) {
		environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err == nil {
			assert.NotContains(t, string(environment), key)
		}
	}
	assert.NoFileExists(t, filepath.Join(up.DataDir, "admin-key"))
}
