package main_test

import (
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
	sdk "go.temporal.io/sdk/client"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/apply"
	"github.com/picloud/picloud/internal/testkit"
)

// deploy applies a manifest of the app "shop" whose scripts are given by name.
func deploy(t *testing.T, up *testkit.Instance, triggers string, scripts map[string]string) {
	t.Helper()
	deployApp(t, up, "shop", triggers, scripts)
}

// deployApp applies a manifest of any app.
func deployApp(t *testing.T, up *testkit.Instance, app, triggers string, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	var manifest strings.Builder
	manifest.WriteString("app: " + app + "\nscripts:\n")
	for name, source := range scripts {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".ts"), []byte(source), 0o600))
		fmt.Fprintf(&manifest, "  %[1]s: { source: %[1]s.ts }\n", name)
	}
	manifest.WriteString("triggers:\n" + triggers)
	require.NoError(t, os.WriteFile(filepath.Join(dir, apply.ManifestName), []byte(manifest.String()), 0o600))
	m, err := apply.Read(dir)
	require.NoError(t, err)
	require.NoError(t, apply.Apply(t.Context(), up.Client, m, func(string) {}))
}

// raw is a JSON value of a request.
func raw(s string) json.RawMessage { return json.RawMessage(s) }

// keep counts the firings of each event in the collection "seen", and keeps the last event.
const keep = `export default async (event: any, ctx: any) => {
	await ctx.kv.set("seen", event.data.id, ((await ctx.kv.get("seen", event.data.id)) ?? 0) + 1);
	await ctx.kv.set("events", event.data.id, { ...event, execution: ctx.execution });
}`

func execution(t *testing.T, up *testkit.Instance, id string) client.Execution {
	t.Helper()
	wait := "1m"
	got, err := up.Client.GetExecutionWithResponse(t.Context(), "shop", id, &client.GetExecutionParams{Wait: &wait})
	require.NoError(t, err)
	require.NotNil(t, got.JSON200, string(got.Body))
	return *got.JSON200
}

// A message fires every subscription, from outside and from a script; what was answered survives SIGKILL and runs once.
func TestPubSub(t *testing.T) {
	up := testkit.Up(t)
	deploy(t, up, `
  - { name: relay, kind: pubsub, script: relay, config: { topic: orders.in } }
  - { name: keep, kind: pubsub, script: keep, config: { topic: "orders.out:*" } }
`, map[string]string{"keep": keep, "relay": `export default async (event: any, ctx: any) => {
		await ctx.topics.publish("orders.out:" + event.data.id, event.data);
		await ctx.topics.publish("elsewhere", event.data);
	}`})
	const messages = 60
	var relays []string
	for i := range messages {
		sent, err := up.Client.PublishMessageWithResponse(t.Context(), "shop", "orders.in", client.TopicMessage{Data: raw(fmt.Sprintf(`{"id":"m%d"}`, i))})
		require.NoError(t, err)
		require.NotNil(t, sent.JSON202, string(sent.Body))
		require.Len(t, sent.JSON202.Executions, 1)
		relays = append(relays, sent.JSON202.Executions[0])
	}
	up.Kill()
	up = testkit.Up(t, "PICLOUD_DATA_DIR="+up.DataDir)
	testkit.Eventually(t, settling, func() error {
		if n := len(list(t, up, "seen")); n != messages {
			return fmt.Errorf("%d of %d messages have come through", n, messages)
		}
		return nil
	})
	for id, times := range list(t, up, "seen") {
		assert.Equal(t, "1", times, id)
	}
	relay := execution(t, up, relays[0])
	assert.Equal(t, client.ExecutionStatus("succeeded"), relay.Status)
	assert.Len(t, relay.Effects, 2)
	var event struct {
		Type, Source, Subject, RootID, ParentID string
		Depth                                   int
	}
	require.NoError(t, json.Unmarshal([]byte(list(t, up, "events")["m0"]), &event))
	assert.Equal(t, []any{"picloud.topic.message", "/apps/shop/pubsub/orders.out:m0", "orders.out:m0", relay.RootID, relays[0], 2},
		[]any{event.Type, event.Source, event.Subject, event.RootID, event.ParentID, event.Depth})
}

// A handler resolves the letters of others and leaves none of its own.
func TestDeadLetterHandlers(t *testing.T) {
	up := testkit.Up(t, "PICLOUD_TRIGGER_RETRY_MAXIMUM_ATTEMPTS=1")
	deploy(t, up, `
  - { name: fail, kind: pubsub, script: fail, config: { topic: "*" } }
  - { name: mourn, kind: dead_letter, script: mourn, config: { script: "fai*", reasons: ["script_*"] } }
`, map[string]string{"fail": `export default () => { throw new TypeError("no") }`, "mourn": `export default async (event: any, ctx: any) => {
		if (event.data.event.data.hopeless) throw new Error("nobody can");
		await ctx.kv.set("letters", event.subject, event.data);
	}`})
	letters := func() []client.DeadLetter {
		found, err := up.Client.ListDeadLettersWithResponse(t.Context(), "shop", &client.ListDeadLettersParams{})
		require.NoError(t, err)
		require.NotNil(t, found.JSON200, string(found.Body))
		return found.JSON200.Items
	}
	for _, data := range []string{`{"hopeless":false}`, `{"hopeless":true}`} {
		sent, err := up.Client.PublishMessageWithResponse(t.Context(), "shop", "t", client.TopicMessage{Data: raw(data)})
		require.NoError(t, err)
		require.NotNil(t, sent.JSON202, string(sent.Body))
	}
	testkit.Eventually(t, settling, func() error {
		got := map[string]string{}
		for _, l := range letters() {
			if l.Resolution != nil {
				got[*l.Resolution] = l.ID
			}
		}
		if got["handled_by_script"] == "" || got["handler_failed"] == "" {
			return fmt.Errorf("resolved so far: %v", got)
		}
		return nil
	})
	all := letters()
	require.Len(t, all, 2, "the handler's own failure is no letter")
	for _, l := range all {
		if *l.Resolution != "handled_by_script" {
			continue
		}
		// The handler saw the letter as the API shows it, but for its resolution.
		l.Resolution, l.ResolvedAt, l.ResolvedBy = nil, nil, nil
		want, err := json.Marshal(l)
		require.NoError(t, err)
		assert.JSONEq(t, string(want), list(t, up, "letters")[l.ID])
	}
	count, err := up.Client.CountDeadLettersWithResponse(t.Context(), "shop")
	require.NoError(t, err)
	assert.Zero(t, count.JSON200.Unresolved)
}

// A cron trigger ticks, stops when it is disabled, comes back when its Schedule is deleted by hand, and survives SIGKILL.
func TestCron(t *testing.T) {
	up := testkit.Up(t)
	deploy(t, up, `
  - { name: often, kind: cron, script: tick, config: { schedule: "@every 1s" } }
  - { name: yearly, kind: cron, script: tick, config: { schedule: "30 2 29 2 *", timezone: Europe/Berlin } }
`, map[string]string{"tick": `export default async (event: any, ctx: any) => {
		const key = event.subject + " " + event.data.scheduled_at;
		await ctx.kv.set("ticks", key, ((await ctx.kv.get("ticks", key)) ?? 0) + 1);
		await ctx.kv.set("last", event.subject, event);
	}`})
	ids := map[string]string{}
	found, err := up.Client.ListTriggersWithResponse(t.Context(), "shop", &client.ListTriggersParams{})
	require.NoError(t, err)
	for _, trigger := range found.JSON200.Items {
		ids[trigger.Name] = trigger.ID
	}
	yearly, err := up.Client.GetTriggerWithResponse(t.Context(), "shop", ids["yearly"])
	require.NoError(t, err)
	require.Len(t, yearly.JSON200.NextFires, 5)
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for _, at := range yearly.JSON200.NextFires {
		assert.Equal(t, "02-29 02:30", at.In(berlin).Format("01-02 15:04"))
	}
	ticks := func(more int) {
		t.Helper()
		before := len(list(t, up, "ticks"))
		testkit.Until(t, settling, "it ticks", func() bool { return len(list(t, up, "ticks")) >= before+more })
	}
	ticks(2)
	fired, err := up.Client.FireTriggerWithResponse(t.Context(), "shop", ids["yearly"], client.Fire{})
	require.NoError(t, err)
	require.NotNil(t, fired.JSON202, string(fired.Body))
	assert.Equal(t, client.ExecutionStatus("succeeded"), execution(t, up, fired.JSON202.ID).Status)
	up.Kill()

	up = testkit.Up(t, "PICLOUD_DATA_DIR="+up.DataDir)
	ticks(2)
	for at, times := range list(t, up, "ticks") {
		assert.Equal(t, "1", times, at)
	}
	c, err := sdk.Dial(sdk.Options{HostPort: up.TemporalAddress})
	require.NoError(t, err)
	defer c.Close()
	handle := c.ScheduleClient().GetHandle(t.Context(), "cron:"+ids["often"])
	require.NoError(t, handle.Delete(t.Context()))
	require.NoError(t, c.ScheduleClient().GetHandle(t.Context(), "cron:"+ids["yearly"]).Delete(t.Context()))
	up.Kill()

	up = testkit.Up(t, "PICLOUD_DATA_DIR="+up.DataDir)
	ticks(1)
	disabled := false
	patched, err := up.Client.PatchTriggerWithResponse(t.Context(), "shop", ids["often"], client.TriggerPatch{Enabled: &disabled})
	require.NoError(t, err)
	require.NotNil(t, patched.JSON200, string(patched.Body))
	assert.Empty(t, patched.JSON200.NextFires)
	deleted, err := up.Client.DeleteTriggerWithResponse(t.Context(), "shop", ids["yearly"])
	require.NoError(t, err)
	assert.Equal(t, http.StatusNoContent, deleted.StatusCode())
	var event struct{ Type, Source, Subject string }
	require.NoError(t, json.Unmarshal([]byte(list(t, up, "last")["often"]), &event))
	assert.Equal(t, []string{"picloud.cron.tick", "/apps/shop/cron/often", "often"}, []string{event.Type, event.Source, event.Subject})
}

// Messages of a bounded queue run one at a time, urgent ones first, each once, SIGKILL or not; a delayed one waits.
func TestQueue(t *testing.T) {
	up := testkit.Up(t)
	deploy(t, up, `
  - { name: mailer, kind: queue, script: mail, config: { queue: mail, max_concurrency: 1 }, enabled: false }
  - { name: feeder, kind: pubsub, script: feed, config: { topic: feed } }
`, map[string]string{"mail": `export default async (event: any, ctx: any) => {
		const n: number = (await ctx.kv.get("order", "n")) ?? 0;
		await ctx.kv.set("order", "n", n + 1);
		await ctx.kv.set("sent", event.data.id, [...((await ctx.kv.get("sent", event.data.id)) ?? []), n]);
		await new Promise((done) => setTimeout(done, 20));
	}`, "feed": `export default async (event: any, ctx: any) => {
		await ctx.queues.send("mail", { id: "late" }, { delay: "2s" });
		await ctx.queues.send("mail", { id: "urgent" }, { priority: 10 });
	}`})
	const messages = 30
	send := func(id string) {
		sent, err := up.Client.SendMessageWithResponse(t.Context(), "shop", "mail", client.QueueMessage{Data: raw(`{"id":"` + id + `"}`)})
		require.NoError(t, err)
		require.NotNil(t, sent.JSON202, string(sent.Body))
	}
	for i := range messages {
		send(fmt.Sprintf("m%02d", i))
	}
	fed, err := up.Client.PublishMessageWithResponse(t.Context(), "shop", "feed", client.TopicMessage{Data: raw(`null`)})
	require.NoError(t, err)
	require.NotNil(t, fed.JSON202, string(fed.Body))
	require.Equal(t, client.ExecutionStatus("succeeded"), execution(t, up, fed.JSON202.Executions[0]).Status)
	assert.Empty(t, list(t, up, "sent"), "the trigger is disabled: they wait")

	triggers, err := up.Client.ListTriggersWithResponse(t.Context(), "shop", &client.ListTriggersParams{Kind: new("queue")})
	require.NoError(t, err)
	enabled := true
	_, err = up.Client.PatchTriggerWithResponse(t.Context(), "shop", triggers.JSON200.Items[0].ID, client.TriggerPatch{Enabled: &enabled})
	require.NoError(t, err)
	testkit.Until(t, settling, "some are sent", func() bool { return len(list(t, up, "sent")) > 5 })
	up.Kill()

	up = testkit.Up(t, "PICLOUD_DATA_DIR="+up.DataDir)
	testkit.Eventually(t, settling, func() error {
		if n := len(list(t, up, "sent")); n != messages+2 {
			return fmt.Errorf("%d of %d messages were sent", n, messages+2)
		}
		return nil
	})
	sent := list(t, up, "sent")
	for id, at := range sent {
		assert.NotContains(t, at, ",", "%s was sent more than once", id)
	}
	assert.Equal(t, "[0]", sent["urgent"], "it came last and went first")
	refused, err := up.Client.SendMessageWithResponse(t.Context(), "shop", "mial", client.QueueMessage{Data: raw(`1`)})
	require.NoError(t, err)
	assert.Equal(t, http.StatusNotFound, refused.StatusCode())
}
