package main_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/testkit"
)

// census is what became of the executions of one root event.
type census struct {
	byStatus map[client.ExecutionStatus]int // of scripts
	mails    int                            // handed over; all have succeeded
	letters  []string
	deepest  int
	cut      int64
}

func (c *census) count(links []client.ExecutionChainLink) {
	for _, l := range links {
		if l.Kind == "mail" && l.Status == "succeeded" {
			c.mails++
		} else {
			c.byStatus[l.Status]++
		}
		c.deepest = max(c.deepest, l.Depth)
		if l.DeadLetterID != nil {
			c.letters = append(c.letters, *l.DeadLetterID)
		}
		c.count(l.Children)
	}
}

// open are those that have not ended.
func (c *census) open() int { return c.byStatus["queued"] + c.byStatus["running"] }

// chainOf counts the tree of an execution as it is now.
func chainOf(t *testing.T, up *testkit.Instance, executionID string) census {
	t.Helper()
	limit := 1000
	got, err := up.Client.GetExecutionChainWithResponse(t.Context(), "shop", executionID, &client.GetExecutionChainParams{Limit: &limit})
	require.NoError(t, err)
	require.NotNil(t, got.JSON200, string(got.Body))
	assert.False(t, got.JSON200.Truncated)
	c := census{byStatus: map[client.ExecutionStatus]int{}, cut: got.JSON200.Cut}
	c.count(got.JSON200.Items)
	return c
}

// ended waits until want executions of a tree have succeeded and nothing of it goes on, and gives its end. More than want is a failure at once.
func ended(t *testing.T, up *testkit.Instance, executionID string, want, letters int) census {
	t.Helper()
	var c census
	testkit.Eventually(t, settling, func() error {
		c = chainOf(t, up, executionID)
		if n := c.byStatus["succeeded"]; n > want {
			t.Fatalf("%d executions have run: at most %d", n, want)
		}
		if c.open() > 0 || c.byStatus["succeeded"] < want || len(c.letters) < letters {
			return fmt.Errorf("so far: %v, %d letters", c.byStatus, len(c.letters))
		}
		return nil
	})
	assert.Len(t, c.letters, letters)
	return c
}

func letter(t *testing.T, up *testkit.Instance, id string) client.DeadLetter {
	t.Helper()
	got, err := up.Client.GetDeadLetterWithResponse(t.Context(), "shop", id)
	require.NoError(t, err)
	require.NotNil(t, got.JSON200, string(got.Body))
	return *got.JSON200
}

func publishTo(t *testing.T, up *testkit.Instance, app, topic string) string {
	t.Helper()
	sent, err := up.Client.PublishMessageWithResponse(t.Context(), app, topic, client.TopicMessage{Data: raw(`{"n":1}`)})
	require.NoError(t, err)
	require.NotNil(t, sent.JSON202, string(sent.Body))
	require.Len(t, sent.JSON202.Executions, 1)
	return sent.JSON202.Executions[0]
}

// otherAppRuns checks that a second app is not held up.
func otherAppRuns(t *testing.T, up *testkit.Instance) {
	t.Helper()
	id := publishTo(t, up, "other", "hello")
	wait := "1m"
	got, err := up.Client.GetExecutionWithResponse(t.Context(), "other", id, &client.GetExecutionParams{Wait: &wait})
	require.NoError(t, err)
	require.NotNil(t, got.JSON200, string(got.Body))
	assert.Equal(t, client.ExecutionStatus("succeeded"), got.JSON200.Status)
}

// Every kind of loop ends within its limit, after exactly as many executions; its one letter names the circle; and another app goes on meanwhile.
func TestLoopsEndWithinTheirLimits(t *testing.T) {
	up := testkit.Up(t, "PICLOUD_ROOT_MAX_EXECUTIONS=150", "PICLOUD_TRIGGER_RETRY_MAXIMUM_ATTEMPTS=1")
	deploy(t, up, `
  - { name: ping, kind: kv, script: ping, config: { collection: a } }
  - { name: pong, kind: kv, script: pong, config: { collection: b } }
  - { name: take, kind: queue, script: take, config: { queue: parcels } }
  - { name: tell, kind: pubsub, script: tell, config: { topic: taken } }
  - { name: note, kind: email, script: note, config: { address: notes } }
  - { name: once, kind: pubsub, script: once, config: { topic: once }, cycle: deny }
  - { name: bomb, kind: pubsub, script: bomb, config: { topic: bang } }
  - { name: twelve, kind: kv, script: twelve, config: { collection: steps } }
`, map[string]string{
		"ping":   `export default async (e: any, ctx: any) => { await ctx.kv.set("b", e.subject, e.depth); }`,
		"pong":   `export default async (e: any, ctx: any) => { await ctx.kv.set("a", e.subject, e.depth); }`,
		"take":   `export default async (e: any, ctx: any) => { await ctx.topics.publish("taken", e.data); }`,
		"tell":   `export default async (e: any, ctx: any) => { await ctx.email.send({ to: "notes@shop.localhost", subject: "taken", text: e.id }); }`,
		"note":   `export default async (e: any, ctx: any) => { await ctx.queues.send("parcels", { n: e.depth }); }`,
		"once":   `export default async (e: any, ctx: any) => { await ctx.topics.publish("once", e.data); }`,
		"bomb":   `export default async (e: any, ctx: any) => { for (let i = 0; i < 10; i++) await ctx.topics.publish("bang", i); }`,
		"twelve": `export default async (e: any, ctx: any) => { if (e.depth < 12) await ctx.kv.set("steps", "s" + e.depth, e.depth); }`,
	})
	deployApp(t, up, "other", "  - { name: hello, kind: pubsub, script: hello, config: { topic: hello } }\n", map[string]string{"hello": `export default () => "hi"`})
	put := func(collection, key string) string {
		t.Helper()
		got, err := up.Client.PutKVWithResponse(t.Context(), "shop", collection, key, nil, client.PutKVJSONRequestBody(`1`))
		require.NoError(t, err)
		require.NotNil(t, got.JSON200, string(got.Body))
		require.Len(t, got.JSON200.Executions, 1)
		return got.JSON200.Executions[0]
	}
	parcel, err := up.Client.SendMessageWithResponse(t.Context(), "shop", "parcels", client.QueueMessage{Data: raw(`{"n":0}`)})
	require.NoError(t, err)
	require.NotNil(t, parcel.JSON202, string(parcel.Body))

	roots := map[string]string{"bomb": publishTo(t, up, "shop", "bang")}
	otherAppRuns(t, up)
	roots["two over kv"] = put("a", "42")
	roots["three"] = parcel.JSON202.Executions[0]
	roots["denied"] = publishTo(t, up, "shop", "once")
	roots["legitimate"] = put("steps", "s0")

	for name, want := range map[string]struct {
		ran, letters   int
		reason, circle string
	}{
		"two over kv": {16, 1, "depth_exceeded", "ping → kv b/42 → pong → kv a/42 → ping (16 turns)"},
		"three":       {16, 1, "depth_exceeded", "tell → email notes → note → queue parcels → take → pubsub taken → tell (16 turns)"},
		"denied":      {1, 1, "cycle", "once → pubsub once → once (1 turn)"},
		"bomb":        {150, 1, "budget_exceeded", "bomb → pubsub bang → bomb ("},
		"legitimate":  {12, 0, "", ""},
	} {
		c := ended(t, up, roots[name], want.ran, want.letters)
		assert.Equal(t, map[string]int{"three": 5}[name], c.mails, name)
		if want.letters == 0 {
			assert.Equal(t, want.ran, c.deepest, name)
			continue
		}
		l := letter(t, up, c.letters[0])
		assert.Equal(t, want.reason, l.Reason, name)
		assert.Contains(t, l.Error.Message, want.circle, name)
		t.Logf("%s: %s: %s", name, l.Error.Type, l.Error.Message)
		if name == "bomb" {
			assert.EqualValues(t, 1+10*150-150-1, c.cut, "what was fired, less what ran and the one with the letter")
		}
	}
	otherAppRuns(t, up)

	// A replay of the bomb's letter is asked for by a person: it runs, and goes off again within a budget of its own.
	replayed, err := up.Client.ReplayDeadLetterWithResponse(t.Context(), "shop", chainOf(t, up, roots["denied"]).letters[0], client.ReplayDeadLetterJSONRequestBody{})
	require.NoError(t, err)
	require.NotNil(t, replayed.JSON202, string(replayed.Body))
	assert.Equal(t, client.ExecutionStatus("succeeded"), execution(t, up, replayed.JSON202.ID).Status)
}

// A pause stops a runaway app at once, holds over SIGKILL, and the resumption goes on where it stopped.
func TestPauseStopsARunawayApp(t *testing.T) {
	const turns = 80
	environment := fmt.Sprint("PICLOUD_MAX_TRIGGER_DEPTH=", turns)
	up := testkit.Up(t, environment)
	deploy(t, up, `
  - { name: run, kind: kv, script: run, config: { collection: laps } }
`, map[string]string{"run": `export default async (e: any, ctx: any) => { await ctx.kv.set("laps", "n", (e.data.value ?? 0) + 1); }`})
	deployApp(t, up, "other", "  - { name: hello, kind: pubsub, script: hello, config: { topic: hello } }\n", map[string]string{"hello": `export default () => "hi"`})
	got, err := up.Client.PutKVWithResponse(t.Context(), "shop", "laps", "n", nil, client.PutKVJSONRequestBody(`0`))
	require.NoError(t, err)
	require.NotNil(t, got.JSON200, string(got.Body))
	root := got.JSON200.Executions[0]
	testkit.Until(t, settling, "it runs away", func() bool { return chainOf(t, up, root).byStatus["succeeded"] >= 5 })

	paused, err := up.Client.PauseAppWithResponse(t.Context(), "shop")
	require.NoError(t, err)
	require.NotNil(t, paused.JSON200, string(paused.Body))
	assert.True(t, paused.JSON200.Paused)
	// What was claimed at that moment still runs; the firing of the last run is put aside.
	testkit.Until(t, settling, "one firing is parked", func() bool {
		_, text := up.Metrics(t, up.Key)
		return strings.Contains(text, "\npicloud_outbox_firings{state=\"parked\"} 1\n")
	})
	stopped := chainOf(t, up, root)
	assert.Equal(t, 1, stopped.open())
	assert.Less(t, stopped.byStatus["succeeded"], turns)
	run, err := up.Client.InvokeScriptWithResponse(t.Context(), "shop", "run", client.Invoke{Data: raw(`1`)})
	require.NoError(t, err)
	assert.Equal(t, http.StatusServiceUnavailable, run.StatusCode())
	assert.Contains(t, string(run.Body), "app_paused")
	up.Kill()

	up = testkit.Up(t, environment, "PICLOUD_DATA_DIR="+up.DataDir)
	for range 3 {
		otherAppRuns(t, up)
	}
	still := chainOf(t, up, root)
	assert.Equal(t, stopped.byStatus, still.byStatus, "nothing has moved")
	resumed, err := up.Client.ResumeAppWithResponse(t.Context(), "shop")
	require.NoError(t, err)
	require.NotNil(t, resumed.JSON200, string(resumed.Body))
	c := ended(t, up, root, turns, 1)
	assert.Equal(t, fmt.Sprint(turns), list(t, up, "laps")["n"])
	assert.Contains(t, letter(t, up, c.letters[0]).Error.Message, fmt.Sprintf("run → kv laps/n → run (%d turns)", turns))
}

// Queued and running executions are canceled by filter, others are left alone, and a second call finds nothing.
func TestCancelByFilter(t *testing.T) {
	up := testkit.Up(t)
	deploy(t, up, `
  - { name: slow, kind: pubsub, script: slow, config: { topic: slow } }
  - { name: jobs, kind: queue, script: quick, config: { queue: jobs }, enabled: false }
  - { name: others, kind: queue, script: quick, config: { queue: others }, enabled: false }
`, map[string]string{
		"slow":  `export default () => 1`,
		"quick": `export default () => 1`,
	})
	// A script that may run for longer than 10 s hears of its cancellation while it runs.
	long, err := up.Client.PutScriptWithBodyWithResponse(t.Context(), "shop", "slow", "application/json",
		strings.NewReader(`{"source":"export default () => new Promise((done) => setTimeout(done, 50000))","language":"ts","limits":{"wall":"1m"},"activate":true}`))
	require.NoError(t, err)
	require.NotNil(t, long.JSON201, string(long.Body))
	for i := range 20 {
		for _, queue := range []string{"jobs", "others"} {
			sent, err := up.Client.SendMessageWithResponse(t.Context(), "shop", queue, client.QueueMessage{Data: raw(fmt.Sprint(i))})
			require.NoError(t, err)
			require.NotNil(t, sent.JSON202, string(sent.Body))
		}
	}
	slow := publishTo(t, up, "shop", "slow")
	cancel := func(body client.ExecutionsCancel) client.ExecutionsCanceled {
		t.Helper()
		got, err := up.Client.CancelExecutionsWithResponse(t.Context(), "shop", body)
		require.NoError(t, err)
		require.NotNil(t, got.JSON200, string(got.Body))
		return *got.JSON200
	}
	testkit.Eventually(t, settling, func() error {
		got := cancel(client.ExecutionsCancel{Script: new("slow"), Since: new(time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))})
		if got.Running+got.Queued != 1 {
			return fmt.Errorf("canceled so far: %+v", got)
		}
		return nil
	})
	assert.Equal(t, client.ExecutionStatus("canceled"), execution(t, up, slow).Status)
	assert.Equal(t, client.ExecutionsCanceled{Queued: 20}, cancel(client.ExecutionsCancel{Trigger: new("jobs")}))
	assert.Equal(t, client.ExecutionsCanceled{}, cancel(client.ExecutionsCancel{Trigger: new("jobs")}))
	assert.Equal(t, client.ExecutionsCanceled{Queued: 20}, cancel(client.ExecutionsCancel{Status: new("queued")}))
}
