package main_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/testkit"
)

// A failed attempt is repeated on this machine from its tape, while what it read has changed and the outside is gone: the stored version fails as then, an edited file runs on.
func TestDebug(t *testing.T) {
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{"stock":-3}`) }))
	defer outside.Close()
	up := testkit.Up(t, "PICLOUD_TRIGGER_RETRY_MAXIMUM_ATTEMPTS=1", "PICLOUD_FETCH_ALLOW_PRIVATE=true")
	deploy(t, up, `
  - { name: orders, kind: pubsub, script: stats, config: { topic: orders } }
`, map[string]string{"stats": `export default async (event: any, ctx: any) => {
  const order = await ctx.kv.get("orders", event.data.id);
  const { stock } = await (await fetch(event.data.url)).json();
  console.log("stock", stock, Math.random());
  if (stock < order.count) throw new RangeError("short of " + (order.count - stock) + " at " + Date.now());
  await ctx.kv.set("stats", event.data.id, stock);
}`})
	put := func(value string) {
		t.Helper()
		stored, err := up.Client.PutKVWithResponse(t.Context(), "shop", "orders", "42", nil, raw(value))
		require.NoError(t, err)
		require.Less(t, stored.StatusCode(), 300, string(stored.Body))
	}
	put(`{"count":5}`)
	sent, err := up.Client.PublishMessageWithResponse(t.Context(), "shop", "orders", client.TopicMessage{Data: raw(`{"id":"42","url":"` + outside.URL + `"}`)})
	require.NoError(t, err)
	require.NotNil(t, sent.JSON202, string(sent.Body))
	var letter client.DeadLetter
	testkit.Until(t, settling, "it has died", func() bool {
		found, err := up.Client.ListDeadLettersWithResponse(t.Context(), "shop", &client.ListDeadLettersParams{})
		require.NoError(t, err)
		if len(found.JSON200.Items) == 1 {
			letter = found.JSON200.Items[0]
		}
		return letter.ID != ""
	})
	outside.Close()
	put(`{"count":-100}`)

	debug := func(args ...string) (string, error) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), testkit.Binary(t), append([]string{"debug", letter.ID, "--url", up.URL, "--key", up.Key}, args...)...)
		out, err := cmd.CombinedOutput()
		t.Logf("picloud debug %v\n%s", args, out)
		return string(out), err
	}
	said, err := debug()
	require.Error(t, err)
	assert.Contains(t, said, letter.Error.Stack)
	assert.Contains(t, said, "the same error as then, at the same place")
	assert.Contains(t, said, "stock -3 0.")
	assert.Contains(t, said, "(stats.ts:5:34)")

	file := filepath.Join(t.TempDir(), "edited.ts")
	edit := func(source string) {
		t.Helper()
		require.NoError(t, os.WriteFile(file, []byte(source), 0o600))
	}
	edit(`export default async (event: any, ctx: any) => {
  const order = await ctx.kv.get("orders", event.data.id);
  const { stock } = await (await fetch(event.data.url)).json();
  await ctx.kv.set("stats", event.data.id, Math.max(stock, 0));
  return order.count;
}`)
	said, err = debug("--file", file, "--app", "shop")
	require.NoError(t, err, said)
	assert.Contains(t, said, "succeeded: 5")
	assert.Contains(t, said, "would kv.set stats/42 0")
	edit("export default async (event: any, ctx: any) =>\n  await ctx.kv.get('orders', '43')\n")
	said, err = debug("--file", file)
	require.Error(t, err)
	assert.Contains(t, said, "not on the tape: kv.get orders/43")
	assert.Contains(t, said, "edited.ts:2:")
	edit("export default (")
	said, err = debug("--file", file)
	require.Error(t, err)
	assert.Contains(t, said, "edited.ts:1:")
	letter.ID = "00000000-0000-7000-8000-000000000000"
	said, err = debug()
	require.Error(t, err)
	assert.Contains(t, said, "there is no dead letter")
}
