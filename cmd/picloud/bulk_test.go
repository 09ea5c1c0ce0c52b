package main_test

import (
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	temporal "go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/picloud/picloud/activities"
	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/testkit"
	"github.com/picloud/picloud/workflows"
)

// bulkLetters is how many dead letters TestBulkReplay makes: PICLOUD_TEST_LETTERS, or a number that takes some seconds.
func bulkLetters(t *testing.T) int {
	t.Helper()
	n := 600
	if s := os.Getenv("PICLOUD_TEST_LETTERS"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	return n
}

// A bulk replay runs every letter exactly once, though the whole program is killed in its midst; the same call again replays nothing.
func TestBulkReplay(t *testing.T) {
	letters := bulkLetters(t)
	patience := time.Minute + time.Duration(letters)*100*time.Millisecond
	up := testkit.Up(t, "PICLOUD_TRIGGER_RETRY_MAXIMUM_ATTEMPTS=1")
	deploy(t, up, `
  - { name: orders, kind: pubsub, script: fulfil, config: { topic: orders } }
`, map[string]string{"fulfil": `export default async (event: any, ctx: any) => {
		if (!(await ctx.kv.get("state", "fixed"))) throw new Error("not fixed yet: order " + event.data.id);
		await ctx.kv.set("seen", event.data.id, ((await ctx.kv.get("seen", event.data.id)) ?? 0) + 1);
	}`, "feed": `export default async (event: any, ctx: any) => {
		for (let n = event.data.from; n < event.data.to; n++) await ctx.topics.publish("orders", { id: "o" + n });
	}`})
	for from := 0; from < letters; from += 500 {
		fed, err := up.Client.InvokeScriptWithResponse(t.Context(), "shop", "feed", client.Invoke{Data: raw(fmt.Sprintf(`{"from":%d,"to":%d}`, from, min(from+500, letters)))})
		require.NoError(t, err)
		require.NotNil(t, fed.JSON200, string(fed.Body))
		require.Equal(t, client.ExecutionStatus("succeeded"), fed.JSON200.Status, string(fed.Body))
	}
	testkit.Eventually(t, patience, func() error {
		count, err := up.Client.CountDeadLettersWithResponse(t.Context(), "shop")
		require.NoError(t, err)
		if count.JSON200.Unresolved != int64(letters) {
			return fmt.Errorf("%d of %d have died", count.JSON200.Unresolved, letters)
		}
		return nil
	})
	groups, err := up.Client.GroupDeadLettersWithResponse(t.Context(), "shop", &client.GroupDeadLettersParams{})
	require.NoError(t, err)
	require.NotNil(t, groups.JSON200, string(groups.Body))
	require.Len(t, groups.JSON200.Items, 1, "one cause")
	assert.EqualValues(t, letters, groups.JSON200.Items[0].Count)
	fix, err := up.Client.PutKVWithResponse(t.Context(), "shop", "state", "fixed", nil, raw(`true`))
	require.NoError(t, err)
	require.Less(t, fix.StatusCode(), 300, string(fix.Body))

	pace := float64(letters) / 8
	key := "once"
	replay := func() client.BulkReplay {
		t.Helper()
		started, err := up.Client.ReplayDeadLettersWithResponse(t.Context(), "shop", &client.ReplayDeadLettersParams{IdempotencyKey: &key},
			client.BulkReplayRequest{Filter: &client.BulkReplayFilter{}, RatePerSecond: &pace})
		require.NoError(t, err)
		require.NotNil(t, started.JSON202, string(started.Body))
		return *started.JSON202
	}
	b := replay()
	assert.EqualValues(t, letters, b.Total)
	assert.Equal(t, b.ID, replay().ID, "the same call")
	progress := func() client.BulkReplay {
		t.Helper()
		got, err := up.Client.GetBulkReplayWithResponse(t.Context(), "shop", b.ID)
		require.NoError(t, err)
		require.NotNil(t, got.JSON200, string(got.Body))
		return *got.JSON200
	}
	testkit.Until(t, patience, "it is on its way", func() bool { return progress().Replayed > int64(letters)/4 })
	up.Kill()
	up = testkit.Up(t, "PICLOUD_TRIGGER_RETRY_MAXIMUM_ATTEMPTS=1", "PICLOUD_DATA_DIR="+up.DataDir)
	at := progress()
	t.Logf("killed and started again at %d of %d letters, %s", at.Replayed, letters, at.Status)
	testkit.Eventually(t, patience, func() error {
		if now := progress(); now.Status != "completed" {
			return fmt.Errorf("%s at %d", now.Status, now.Replayed)
		}
		return nil
	})
	end := progress()
	assert.Equal(t, []int64{int64(letters), int64(letters), 0}, []int64{end.Total, end.Replayed, end.Skipped})
	asked := queried(t, up, b.ID)
	assert.Equal(t, []any{picloud.BulkCompleted, end.Total, end.Replayed}, []any{asked.Status, asked.Total, asked.Replayed})
	testkit.Eventually(t, patience, func() error {
		if n := len(list(t, up, "seen")); n != letters {
			return fmt.Errorf("%d of %d have run", n, letters)
		}
		return nil
	})
	for id, times := range list(t, up, "seen") {
		assert.Equal(t, "1", times, id)
	}
	key = "twice"
	assert.Zero(t, replay().Total, "nothing is unresolved any more")
}

// queried asks the workflow of a bulk replay for its progress, as the Temporal UI and CLI do.
func queried(t *testing.T, up *testkit.Instance, id string) (p activities.BulkProgress) {
	t.Helper()
	c, err := temporal.Dial(temporal.Options{HostPort: up.TemporalAddress, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	require.NoError(t, err)
	defer c.Close()
	answer, err := c.QueryWorkflow(t.Context(), "bulk-replay:"+id, "", workflows.ProgressQuery)
	require.NoError(t, err)
	require.NoError(t, answer.Get(&p))
	return p
}

// Dry runs of one letter and of all say what a replay would do, on the version that is asked for, and leave everything as it is.
func TestDryRuns(t *testing.T) {
	up := testkit.Up(t, "PICLOUD_TRIGGER_RETRY_MAXIMUM_ATTEMPTS=1")
	deploy(t, up, `
  - { name: orders, kind: pubsub, script: fulfil, config: { topic: orders } }
`, map[string]string{"fulfil": `export default async (event: any, ctx: any) => { throw new Error("v1") }`})
	const letters = 25
	for n := range letters {
		sent, err := up.Client.PublishMessageWithResponse(t.Context(), "shop", "orders", client.TopicMessage{Data: raw(fmt.Sprintf(`{"id":%d}`, n))})
		require.NoError(t, err)
		require.NotNil(t, sent.JSON202, string(sent.Body))
	}
	ids := map[string]string{} // of letters, by the data of their events: they die in any order
	testkit.Until(t, settling, "all have died", func() bool {
		found, err := up.Client.ListDeadLettersWithResponse(t.Context(), "shop", &client.ListDeadLettersParams{})
		require.NoError(t, err)
		for _, l := range found.JSON200.Items {
			ids[string(l.Event.Data)] = l.ID
		}
		return len(ids) == letters
	})
	source := `export default async (event: any, ctx: any) => {
		if (event.data.id % 10 === 3) throw new TypeError("three");
		await ctx.kv.set("stock", "total", 1);
		await ctx.topics.publish("done", event.data);
		if (event.data.id === 4) await fetch("https://example.com/");
	}`
	put, err := up.Client.PutScriptWithResponse(t.Context(), "shop", "fulfil", client.ScriptPut{Language: "ts", Source: source})
	require.NoError(t, err)
	require.Less(t, put.StatusCode(), 300, string(put.Body))
	stock, err := up.Client.PutKVWithResponse(t.Context(), "shop", "stock", "total", nil, raw(`7`))
	require.NoError(t, err)
	require.Less(t, stock.StatusCode(), 300)

	dry := true
	one, err := up.Client.ReplayDeadLetterWithResponse(t.Context(), "shop", ids[`{"id":0}`], client.Replay{DryRun: &dry})
	require.NoError(t, err)
	require.NotNil(t, one.JSON200, string(one.Body))
	assert.Equal(t, client.ExecutionStatus("succeeded"), one.JSON200.Status)
	require.Len(t, one.JSON200.Effects, 2)
	effect := one.JSON200.Effects[0]
	assert.Equal(t, []any{"7", "1", true, true}, []any{string(effect.Before), string(effect.After), *effect.Changes, *effect.ChangedSinceFailure})
	first, err := up.Client.ReplayDeadLetterWithResponse(t.Context(), "shop", ids[`{"id":0}`], client.Replay{DryRun: &dry, Version: raw(`1`)})
	require.NoError(t, err)
	require.NotNil(t, first.JSON200, string(first.Body))
	assert.Equal(t, "v1", first.JSON200.Error.Message)

	started, err := up.Client.ReplayDeadLettersWithResponse(t.Context(), "shop", nil, client.BulkReplayRequest{Filter: &client.BulkReplayFilter{}, DryRun: &dry})
	require.NoError(t, err)
	require.NotNil(t, started.JSON202, string(started.Body))
	var b client.BulkReplay
	testkit.Until(t, settling, "all have run dry", func() bool {
		got, err := up.Client.GetBulkReplayWithResponse(t.Context(), "shop", started.JSON202.ID)
		require.NoError(t, err)
		b = *got.JSON200
		return b.Status == "completed"
	})
	require.NotNil(t, b.Report)
	assert.Equal(t, []int64{letters, 21, 4, 21}, []int64{b.Replayed, b.Report.Pass, b.Report.Fail, b.Report.KeysChangedSince})
	messages := map[string]int{}
	for _, f := range b.Report.Failing {
		messages[f.Error.Type+": "+f.Error.Message]++
		assert.Contains(t, f.Error.Stack, "fulfil.ts:")
	}
	assert.Equal(t, 3, messages["TypeError: three"], messages)
	assert.Equal(t, []string{"stock/total"}, b.Report.Changed[0].Keys)
	assert.Equal(t, "21 pass, 4 fail, 21 change keys that have changed since", b.Report.Summary)
	for outcome, want := range map[string]int{"": letters, "pass": 21, "fail": 4, "changed": 21, "skipped": 0} {
		listed, err := up.Client.ListDryRunLettersWithResponse(t.Context(), "shop", b.ID, &client.ListDryRunLettersParams{Outcome: &outcome})
		require.NoError(t, err)
		require.NotNil(t, listed.JSON200, string(listed.Body))
		assert.Len(t, listed.JSON200.Items, want, outcome)
		for _, l := range listed.JSON200.Items {
			if l.Outcome == "fail" {
				assert.NotNil(t, l.Error)
				continue
			}
			require.Len(t, l.Effects, 2)
			assert.Equal(t, []any{"7", "1", true, "done"}, []any{string(l.Effects[0].Before), string(l.Effects[0].After), *l.Effects[0].ChangedSinceFailure, *l.Effects[1].Topic})
		}
	}
	assert.Equal(t, map[string]string{"total": "7"}, list(t, up, "stock"), "nothing is committed")
	count, err := up.Client.CountDeadLettersWithResponse(t.Context(), "shop")
	require.NoError(t, err)
	assert.EqualValues(t, letters, count.JSON200.Unresolved)
}
