// Package examples_test deploys the examples of the kinds of triggers into one running `picloud up` and uses them as their READMEs do.
package examples_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/apply"
	"github.com/picloud/picloud/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// settling is how long what an example does may take on a busy machine.
const settling = time.Minute

// world is the one instance that all examples share.
type world struct{ *testkit.Instance }

func TestExamples(t *testing.T) {
	w := world{testkit.Up(t)}
	for name, test := range map[string]func(*testing.T, world){
		"order-totals": orderTotals, "daily-digest": dailyDigest, "sign-ups": signUps, "invoices": invoices, "price-list": priceList, "samples": samples,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := os.Stat(name); err == nil {
				w.deploy(t, name)
			}
			test(t, w)
		})
	}
	t.Run("metrics", func(t *testing.T) { scraped(t, w) })
}

// deploy applies the folder twice: the second time changes nothing.
func (w world) deploy(t *testing.T, dir string) {
	t.Helper()
	m, err := apply.Read(dir)
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, apply.Apply(t.Context(), w.Client, m, func(step string) { t.Log(step) }))
	}
}

func (w world) put(t *testing.T, app, collection, key, value string) {
	t.Helper()
	done, err := w.Client.PutKVWithResponse(t.Context(), app, collection, key, &client.PutKVParams{}, json.RawMessage(value))
	require.NoError(t, err)
	require.Less(t, done.StatusCode(), 300, string(done.Body))
}

// becomes waits until the key has the JSON value.
func (w world) becomes(t *testing.T, app, collection, key, want string) {
	t.Helper()
	testkit.Eventually(t, settling, func() error {
		got, err := w.Client.GetKVWithResponse(t.Context(), app, collection, key, &client.GetKVParams{})
		if err != nil {
			return err
		}
		if strings.TrimSpace(string(got.Body)) != want {
			return fmt.Errorf("%s/%s is %s, not %s", collection, key, got.Body, want)
		}
		return nil
	})
}

// ended waits for the end of an execution.
func (w world) ended(t *testing.T, app, id string) client.Execution {
	t.Helper()
	wait := "1m"
	got, err := w.Client.GetExecutionWithResponse(t.Context(), app, id, &client.GetExecutionParams{Wait: &wait})
	require.NoError(t, err)
	require.NotNil(t, got.JSON200, string(got.Body))
	return *got.JSON200
}

// triggers gives the app's triggers by name.
func (w world) triggers(t *testing.T, app string) map[string]client.Trigger {
	t.Helper()
	list, err := w.Client.ListTriggersWithResponse(t.Context(), app, &client.ListTriggersParams{})
	require.NoError(t, err)
	require.NotNil(t, list.JSON200, string(list.Body))
	all := map[string]client.Trigger{}
	for _, trigger := range list.JSON200.Items {
		all[trigger.Name] = trigger
	}
	return all
}

func orderTotals(t *testing.T, w world) {
	const app = "order-totals"
	w.put(t, app, "orders", "o-1", `{"customer":"ann","total":120}`)
	w.put(t, app, "orders", "o-2", `{"customer":"ann","total":30}`)
	w.put(t, app, "orders", "draft-3", `{"customer":"ann","total":1000}`)
	w.becomes(t, app, "totals", "ann", `150`)
	w.put(t, app, "orders", "o-1", `{"customer":"bob","total":100}`)
	w.becomes(t, app, "totals", "ann", `30`)
	w.becomes(t, app, "totals", "bob", `100`)
	gone, err := w.Client.DeleteKVWithResponse(t.Context(), app, "orders", "o-2", &client.DeleteKVParams{})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, gone.StatusCode(), string(gone.Body))
	w.becomes(t, app, "totals", "ann", `0`)
}

func dailyDigest(t *testing.T, w world) {
	const app = "daily-digest"
	w.put(t, app, "notes", "2026-03-01/1", `{"text":"bought milk"}`)
	w.put(t, app, "notes", "2026-03-01/2", `{"text":"sold a cow"}`)
	w.put(t, app, "notes", "2026-03-02/1", `{"text":"missed the cow"}`)
	trigger := w.triggers(t, app)["every-morning"]
	from, to := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	asked, err := w.Client.BackfillTriggerWithResponse(t.Context(), app, trigger.ID, client.BackfillCreate{From: from, To: to})
	require.NoError(t, err)
	require.NotNil(t, asked.JSON202, string(asked.Body))
	assert.Equal(t, 2, asked.JSON202.Ticks)
	w.becomes(t, app, "digests", "2026-03-01", `{"notes":2,"text":"bought milk\nsold a cow"}`)
	w.becomes(t, app, "digests", "2026-03-02", `{"notes":1,"text":"missed the cow"}`)
	testkit.Eventually(t, settling, func() error {
		shown, err := w.Client.GetTriggerWithResponse(t.Context(), app, trigger.ID)
		if err != nil || shown.JSON200 == nil {
			return fmt.Errorf("get trigger: %w %s", err, shown.Body)
		}
		if len(shown.JSON200.LastFires) != 2 || len(shown.JSON200.NextFires) != 5 {
			return fmt.Errorf("trigger: %s", shown.Body)
		}
		assert.Equal(t, "2026-03-03T06:00:00Z", shown.JSON200.LastFires[0].ScheduledAt.Format(time.RFC3339))
		assert.Zero(t, *shown.JSON200.MissedTicks)
		return nil
	})
}

func signUps(t *testing.T, w world) {
	const app, trace = "sign-ups", "0af7651916cd43dd8448eb211c80319c"
	publish := func(data string) []string {
		sent, err := w.Client.PublishMessageWithResponse(t.Context(), app, "user.signed-up", client.TopicMessage{Data: json.RawMessage(data)},
			func(_ context.Context, r *http.Request) error {
				r.Header.Set("Traceparent", "00-"+trace+"-b7ad6b7169203331-01")
				return nil
			})
		require.NoError(t, err)
		require.NotNil(t, sent.JSON202, string(sent.Body))
		return sent.JSON202.Executions
	}
	assert.Len(t, publish(`{"id":"u-1","name":"Ann","plan":"team"}`), 3)
	free := publish(`{"id":"u-2","name":"Bob"}`)
	assert.Len(t, free, 2, "the filter has refused one")
	w.becomes(t, app, "plans", "team", `1`)
	testkit.Eventually(t, settling, func() error {
		trail, err := w.Client.ListKVWithResponse(t.Context(), app, "trail", &client.ListKVParams{})
		if err != nil || trail.JSON200 == nil {
			return fmt.Errorf("list trail: %w %s", err, trail.Body)
		}
		if n := len(trail.JSON200.Items); n != 4 {
			return fmt.Errorf("the trail has %d of 4 entries", n)
		}
		spans := map[string]bool{}
		for _, entry := range trail.JSON200.Items {
			var kept struct{ Topic, Trace string }
			require.NoError(t, json.Unmarshal(entry.Value, &kept))
			require.True(t, strings.HasPrefix(kept.Trace, "00-"+trace+"-"), "%s is not in the trace of its request: %s", kept.Topic, kept.Trace)
			spans[kept.Trace] = true
		}
		assert.Len(t, spans, 3, "the caller's, and one of each execution that published")
		return nil
	})
	for _, id := range free {
		x := w.ended(t, app, id)
		assert.Equal(t, client.ExecutionStatus("succeeded"), x.Status)
		assert.NotEqual(t, "count", x.Script)
	}
}

func invoices(t *testing.T, w world) {
	const app = "invoices"
	send := func(data string) string {
		sent, err := w.Client.SendMessageWithResponse(t.Context(), app, "invoices", client.QueueMessage{Data: json.RawMessage(data)})
		require.NoError(t, err)
		require.NotNil(t, sent.JSON202, string(sent.Body))
		return sent.JSON202.Executions[0]
	}
	for i := range 5 {
		send(fmt.Sprintf(`{"id":"i-%d","lines":[{"text":"tea","cents":350},{"text":"cake","cents":%d}]}`, i, i*100))
	}
	broken := send(`{"id":"i-9","lines":[]}`)
	w.becomes(t, app, "rendered", "i-4", `{"text":"tea: 3.50\ncake: 4.00\nsum: 7.50","sum":750}`)
	w.becomes(t, app, "desk", broken, `{"invoice":{"id":"i-9","lines":[]},"why":"invoice i-9 has no lines","tried":1}`)
	letters, err := w.Client.ListDeadLettersWithResponse(t.Context(), app, &client.ListDeadLettersParams{})
	require.NoError(t, err)
	require.NotNil(t, letters.JSON200, string(letters.Body))
	require.Len(t, letters.JSON200.Items, 1)
	assert.Equal(t, "handled_by_script", *letters.JSON200.Items[0].Resolution)
}

func priceList(t *testing.T, w world) {
	const app, rows = "price-list", 40
	north := "north"
	send := func(data string, orderingKey *string) string {
		sent, err := w.Client.SendMessageWithResponse(t.Context(), app, "rows", client.QueueMessage{Data: json.RawMessage(data), OrderingKey: orderingKey})
		require.NoError(t, err)
		require.NotNil(t, sent.JSON202, string(sent.Body))
		return sent.JSON202.Executions[0]
	}
	for i := range rows {
		send(fmt.Sprintf(`{"sku":"s-%d","cents":%d}`, i, i+1), nil)
		send(fmt.Sprintf(`{"sku":"tea","cents":%d}`, i+1), &north)
	}
	bad := send(`{"sku":"cake"}`, nil)
	w.becomes(t, app, "prices", fmt.Sprintf("s-%d", rows-1), fmt.Sprint(rows))
	w.becomes(t, app, "prices", "tea", fmt.Sprint(rows))
	testkit.Eventually(t, settling, func() error {
		letters, err := w.Client.ListDeadLettersWithResponse(t.Context(), app, &client.ListDeadLettersParams{})
		if err != nil || letters.JSON200 == nil {
			return fmt.Errorf("list letters: %w %s", err, letters.Body)
		}
		if n := len(letters.JSON200.Items); n != 1 || letters.JSON200.Items[0].ExecutionID != bad {
			return fmt.Errorf("%d letters: %s", n, letters.Body)
		}
		return nil
	})
}

// samples: the sample of a trigger of every kind, given to the trigger by hand, runs.
func samples(t *testing.T, w world) {
	const app = "samples"
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "keep.ts"), []byte(`export default async (event: any, ctx: any) => {
		await ctx.kv.set("kept", event.type, event);
		return event;
	}`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, apply.ManifestName), []byte(`
app: samples
scripts:
  keep: { source: keep.ts }
triggers:
  - { name: http, kind: http, script: keep, config: { methods: [PUT], path: "/orders/*" } }
  - { name: http-params, kind: http, script: keep, config: { methods: [GET], path: "/customers/:id/files/*rest" } }
  - { name: kv, kind: kv, script: keep, config: { collection: "orders:*", operations: [created] } }
  - { name: cron, kind: cron, script: keep, config: { schedule: "@yearly" } }
  - { name: pubsub, kind: pubsub, script: keep, config: { topic: "orders.*" } }
  - { name: queue, kind: queue, script: keep, config: { queue: mail } }
  - { name: queue-batch, kind: queue, script: keep, config: { queue: rows, batch_size: 1 } }
  - { name: email, kind: email, script: keep, config: { address: "support*" } }
  - { name: dead-letter, kind: dead_letter, script: keep, config: { script: nobody } }
`), 0o600))
	w.deploy(t, dir)
	for name, trigger := range w.triggers(t, app) {
		sample, err := w.Client.SampleTriggerWithResponse(t.Context(), app, trigger.ID)
		require.NoError(t, err)
		require.NotNil(t, sample.JSON200, string(sample.Body))
		fired, err := w.Client.FireTriggerWithResponse(t.Context(), app, trigger.ID, client.Fire{Data: sample.JSON200.Data})
		require.NoError(t, err)
		require.NotNil(t, fired.JSON202, string(fired.Body))
		x := w.ended(t, app, fired.JSON202.ID)
		require.Equal(t, client.ExecutionStatus("succeeded"), x.Status, "%s: %+v", name, x.Error)
		assert.Equal(t, sample.JSON200.Type, x.Event.Type, name)
		assert.JSONEq(t, string(sample.JSON200.Data), string(x.Event.Data), name)
	}
}

// scraped: the metrics tell what the examples have done, to who has the key.
func scraped(t *testing.T, w world) {
	status, _ := w.Metrics(t, "pck_wrong")
	assert.Equal(t, http.StatusUnauthorized, status)
	status, text := w.Metrics(t, w.Key)
	require.Equal(t, http.StatusOK, status)
	for _, line := range []string{
		`picloud_executions_total{kind="queue",status="dead_lettered"} 1`, `picloud_executions_total{kind="dead_letter",status="succeeded"} 2`,
		`picloud_failed_attempts_total{reason="script_error"} 1`, "picloud_backlog_up 1", `picloud_outbox_firings{state="due"} `, "picloud_sandbox_children ",
	} {
		assert.Contains(t, text, "\n"+line)
	}
}
