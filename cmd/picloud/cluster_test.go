package main_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/testkit"
)

// A cluster is a manager, and on each node an orchestrator and an executor; they share a PostgreSQL and a Temporal, and come up in any order.
func TestCluster(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	cluster := testkit.NewCluster(t, "PICLOUD_FETCH_ALLOW_PRIVATE=true")
	manager, orchestrator, executor := cluster.Manager, cluster.Orchestrator, cluster.Executor
	ask := func(i *testkit.Instance, method, path, body string) (status int, text string) {
		t.Helper()
		answer, text := request(t, i, method, path, body, map[string]string{"Authorization": "Bearer " + manager.Key, "Content-Type": "application/json"})
		return answer.StatusCode, text
	}
	assert.Empty(t, manager.SMTPAddress)
	assert.NotEmpty(t, orchestrator.SMTPAddress)
	assert.Empty(t, executor.SMTPAddress)
	for role, i := range map[string]*testkit.Instance{"manager": manager, "orchestrator": orchestrator, "executor": executor} {
		for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
			status, text := ask(i, http.MethodGet, path, "")
			assert.Equal(t, http.StatusOK, status, "%s %s: %s", role, path, text)
		}
	}
	for path, i := range map[string]*testkit.Instance{"/v1/apps": orchestrator, "/login": orchestrator, "/temporal/": executor, "/run/shop/a": manager, "/run/shop/b": executor, "/": orchestrator} {
		status, text := ask(i, http.MethodGet, path, "")
		assert.Equal(t, http.StatusMisdirectedRequest, status, path)
		assert.Contains(t, text, `"code":"misdirected"`, path)
	}

	deploy(t, manager, "  - { name: on-order, kind: kv, script: order, config: { collection: orders } }\n", map[string]string{
		"hello": `export default (e: any) => Response.json({ hello: e.data.query.name })`,
		"order": `export default (e: any, ctx: any) => ctx.fetch("` + g.URL + `/?id=order").then(() => ctx.kv.set("done", "all", 1))`,
	})
	status, text := ask(orchestrator, http.MethodGet, "/run/shop/hello?name=you", "")
	assert.Equal(t, http.StatusOK, status, text)
	assert.JSONEq(t, `{"hello":"you"}`, text, "the caller waits in another process than the script runs in")

	status, text = ask(manager, http.MethodPut, "/v1/apps/shop/kv/orders/1", "1")
	require.Less(t, status, 300, text)
	testkit.Until(t, time.Minute, "the script runs", func() bool { came, _ := g.times("order"); return came == 1 })
	executor.Kill()
	testkit.As(t, "executor", cluster.Shared...)
	testkit.Until(t, 2*time.Minute, "another executor runs it again", func() bool { came, _ := g.times("order"); return came == 2 })
	g.open()
	testkit.Until(t, time.Minute, "it has ended", func() bool {
		answer, err := manager.Client.ListExecutionsWithResponse(t.Context(), "shop", &client.ListExecutionsParams{})
		if err != nil || answer.JSON200 == nil {
			return false
		}
		for _, e := range answer.JSON200.Items {
			if e.Kind == "kv" && e.Status == "succeeded" {
				return true
			}
		}
		return false
	})
}

func TestRolesOfAClusterSayWhatTheyNeed(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"manager", "orchestrator", "executor"} {
		command := exec.CommandContext(context.WithoutCancel(t.Context()), testkit.Binary(t), role)
		command.Env = []string{"PATH=" + os.Getenv("PATH"), "PICLOUD_DATA_DIR=" + t.TempDir(), "PICLOUD_HTTP_ADDR=127.0.0.1:0"}
		said, err := command.CombinedOutput()
		require.Error(t, err)
		assert.Contains(t, string(said), "DATABASE_URL is not set: picloud "+role+" shares a PostgreSQL")
		assert.Contains(t, string(said), "TEMPORAL_ADDRESS is not set")
	}
}
