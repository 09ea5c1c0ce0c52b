package main_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/testkit"
)

// A firing dies of every reason that there is; the list finds each by it, and the groups show each as a cause of its own.
func TestEveryReason(t *testing.T) {
	up := testkit.Up(t, "PICLOUD_ROOT_MAX_EXECUTIONS=20")
	once := "retry: { maximum_attempts: 1 }"
	deploy(t, up, `
  - { name: throws, kind: pubsub, script: throws, config: { topic: script_error }, `+once+` }
  - { name: waits, kind: pubsub, script: waits, config: { topic: timeout }, `+once+` }
  - { name: fills, kind: pubsub, script: fills, config: { topic: resource_limit }, `+once+` }
  - { name: deep, kind: pubsub, script: again, config: { topic: depth_exceeded }, max_depth: 3 }
  - { name: circle, kind: pubsub, script: again, config: { topic: cycle }, cycle: deny }
  - { name: bomb, kind: pubsub, script: bomb, config: { topic: budget_exceeded } }
  - { name: gone, kind: pubsub, script: gone, config: { topic: script_missing }, retry: { maximum_attempts: 20, initial_interval: 2s, backoff_coefficient: 1 } }
  - { name: big, kind: pubsub, script: big, config: { topic: payload_invalid }, `+once+` }
  - { name: late, kind: pubsub, script: throws, config: { topic: expired }, retry: { maximum_attempts: 5, initial_interval: 1m, maximum_duration: 30s } }
`, map[string]string{
		"throws":  `export default (e: any) => { throw new TypeError("order " + e.id); }`,
		"waits":   `export default () => new Promise(() => {});`,
		"fills":   `export default async (e: any, ctx: any) => { for (let i = 0; i <= 500; i++) await ctx.kv.set("full", "k" + i, i); }`,
		"again":   `export default async (e: any, ctx: any) => { await ctx.topics.publish(e.subject, e.depth); }`,
		"bomb":    `export default async (e: any, ctx: any) => { for (let i = 0; i < 10; i++) await ctx.topics.publish(e.subject, i); }`,
		"gone":    `export default () => { throw new Error("not yet"); }`,
		"big":     `export default () => "x".repeat(2 * 1024 * 1024)`,
		"allowed": `export default () => 1`,
	})
	short, err := up.Client.PutScriptWithBodyWithResponse(t.Context(), "shop", "waits", "application/json",
		strings.NewReader(`{"source":"export default () => new Promise((done) => setTimeout(done, 5000));","language":"ts","limits":{"wall":"200ms"}}`))
	require.NoError(t, err)
	require.Less(t, short.StatusCode(), 300, string(short.Body))
	asOneWhoMayNoMore(t, up)

	want := []string{
		"script_error", "timeout", "resource_limit", "depth_exceeded", "cycle", "budget_exceeded", "permission_denied", "script_missing", "payload_invalid", "expired",
	}
	for _, reason := range want {
		id := publishTo(t, up, "shop", reason)
		if reason == "script_missing" {
			testkit.Until(t, settling, "it has failed once", func() bool {
				x, err := up.Client.GetExecutionWithResponse(t.Context(), "shop", id, &client.GetExecutionParams{})
				require.NoError(t, err)
				return x.JSON200 != nil && len(x.JSON200.Attempts) > 0
			})
			name := "gone"
			triggers, err := up.Client.ListTriggersWithResponse(t.Context(), "shop", &client.ListTriggersParams{Script: &name})
			require.NoError(t, err)
			require.Len(t, triggers.JSON200.Items, 1)
			free, err := up.Client.DeleteTriggerWithResponse(t.Context(), "shop", triggers.JSON200.Items[0].ID)
			require.NoError(t, err)
			require.Equal(t, http.StatusNoContent, free.StatusCode(), string(free.Body))
			deleted, err := up.Client.DeleteScriptWithResponse(t.Context(), "shop", name)
			require.NoError(t, err)
			require.Equal(t, http.StatusNoContent, deleted.StatusCode(), string(deleted.Body))
		}
	}
	for _, reason := range want {
		var found []client.DeadLetter
		testkit.Until(t, settling, "one has died of "+reason, func() bool {
			list, err := up.Client.ListDeadLettersWithResponse(t.Context(), "shop", &client.ListDeadLettersParams{Reason: &reason})
			require.NoError(t, err)
			require.NotNil(t, list.JSON200, string(list.Body))
			found = list.JSON200.Items
			return len(found) > 0
		})
		require.Len(t, found, 1, reason)
		assert.Equal(t, reason, found[0].Reason)
		t.Logf("%s: %s: %s", reason, found[0].Error.Type, found[0].Error.Message)
	}
	groups, err := up.Client.GroupDeadLettersWithResponse(t.Context(), "shop", &client.GroupDeadLettersParams{})
	require.NoError(t, err)
	require.NotNil(t, groups.JSON200, string(groups.Body))
	causes := map[string]int64{}
	for _, g := range groups.JSON200.Items {
		causes[g.Reason] += g.Count
	}
	assert.ElementsMatch(t, want, slices.Collect(maps.Keys(causes)), fmt.Sprint(causes))
}

// asOneWhoMayNoMore registers a trigger as a principal that may not invoke scripts any more afterwards.
func asOneWhoMayNoMore(t *testing.T, up *testkit.Instance) {
	t.Helper()
	made, err := up.Client.CreatePrincipalWithResponse(t.Context(), client.PrincipalCreate{Kind: "service", Name: "ci"})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, made.StatusCode(), string(made.Body))
	role := func(role string) {
		t.Helper()
		put, err := up.Client.PutMemberWithResponse(t.Context(), "shop", "ci", client.MemberPut{Role: role})
		require.NoError(t, err)
		require.Less(t, put.StatusCode(), 300, string(put.Body))
	}
	role("app_admin")
	name := "ci"
	key, err := up.Client.CreateAPIKeyWithResponse(t.Context(), client.APIKeyCreate{Principal: &name, Scopes: []client.Scope{"app:admin"}})
	require.NoError(t, err)
	require.NotNil(t, key.JSON201, string(key.Body))
	ci, err := client.New(up.URL, key.JSON201.Key)
	require.NoError(t, err)
	trigger, err := ci.CreateTriggerWithBodyWithResponse(t.Context(), "shop", "application/json",
		strings.NewReader(`{"name":"denied","kind":"pubsub","script":"allowed","config":{"topic":"permission_denied"}}`))
	require.NoError(t, err)
	require.NotNil(t, trigger.JSON201, string(trigger.Body))
	role("viewer")
}
