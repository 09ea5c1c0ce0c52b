package main_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/testkit"
)

// queue gives what waits in a queue of the app "shop".
func queue(t *testing.T, up *testkit.Instance, name string) client.QueueState {
	t.Helper()
	found, err := up.Client.ListQueuesWithResponse(t.Context(), "shop", &client.ListQueuesParams{})
	require.NoError(t, err)
	require.NotNil(t, found.JSON200, string(found.Body))
	for _, q := range found.JSON200.Items {
		if q.Queue == name {
			return q
		}
	}
	require.Fail(t, "no such queue", "%s: %s", name, found.Body)
	return client.QueueState{}
}

// Messages run in batches through two SIGKILLs in the middle: each takes effect once, those that fail for a while alone come again, those that always fail alone become letters, and the messages
// of one ordering key take effect in the order of sending.
func TestBatches(t *testing.T) {
	up := testkit.Up(t)
	deploy(t, up, `
  - { name: load, kind: queue, script: load, config: { queue: rows, batch_size: 10, batch_window: 200ms, max_concurrency: 2 }, enabled: false,
      retry: { maximum_attempts: 3, initial_interval: 100ms } }
`, map[string]string{"load": `export default async (event: QueueBatchEvent<{ id: string; key?: string; how?: string }>, ctx: Context): Promise<BatchResult> => {
		const failed: string[] = [];
		for (const { id, data } of event.data) {
			if (data.key && failed.length > 0) { failed.push(id); continue; } // its turn is after the one that failed
			const tries = ((await ctx.kv.get("tries", data.id)) as number ?? 0) + 1;
			await ctx.kv.set("tries", data.id, tries);
			if (data.how === "never" || data.how === "later" && tries < 2) { failed.push(id); continue; }
			await ctx.kv.set("done", data.id, ((await ctx.kv.get("done", data.id)) as number ?? 0) + 1);
			if (data.key) await ctx.kv.set("order", data.key, [...((await ctx.kv.get("order", data.key)) as string[] ?? []), data.id]);
		}
		await new Promise((done) => setTimeout(done, 50));
		return { failed };
	}`})
	const messages, keys = 120, 3
	order := make([]string, keys)
	executions := map[string]string{}
	for i := range messages {
		id, how, body := fmt.Sprintf("m%03d", i), "", client.QueueMessage{}
		switch {
		case i%20 == 7:
			how = "never"
		case i%20 == 13:
			how = "later"
		case i%2 == 0:
			key := fmt.Sprintf("k%d", i/2%keys)
			body.OrderingKey = &key
			order[i/2%keys] += `,"` + id + `"`
			if i >= 40 && i < 40+2*keys { // one of each key fails at first, and holds back what is behind it
				how = "later"
			}
		}
		key := ""
		if body.OrderingKey != nil {
			key = *body.OrderingKey
		}
		body.Data = raw(fmt.Sprintf(`{"id":%q,"how":%q,"key":%q}`, id, how, key))
		sent, err := up.Client.SendMessageWithResponse(t.Context(), "shop", "rows", body)
		require.NoError(t, err)
		require.NotNil(t, sent.JSON202, string(sent.Body))
		executions[id] = sent.JSON202.Executions[0]
	}
	waiting := queue(t, up, "rows")
	assert.Equal(t, []any{int64(messages), int64(0), int64(0), []string{"load"}}, []any{waiting.Messages, waiting.Delayed, waiting.Running, waiting.Triggers})
	assert.NotNil(t, waiting.OldestAge)

	triggers, err := up.Client.ListTriggersWithResponse(t.Context(), "shop", &client.ListTriggersParams{})
	require.NoError(t, err)
	enabled := true
	_, err = up.Client.PatchTriggerWithResponse(t.Context(), "shop", triggers.JSON200.Items[0].ID, client.TriggerPatch{Enabled: &enabled})
	require.NoError(t, err)
	for _, some := range []int{5, messages / 3} {
		testkit.Until(t, settling, "some are done", func() bool { return len(list(t, up, "done")) >= some })
		up.Kill()
		up = testkit.Up(t, "PICLOUD_DATA_DIR="+up.DataDir)
	}
	const never = messages / 20
	testkit.Eventually(t, settling, func() error {
		letters, err := up.Client.CountDeadLettersWithResponse(t.Context(), "shop")
		if err != nil || letters.JSON200 == nil {
			return fmt.Errorf("count letters: %w", err)
		}
		if done := len(list(t, up, "done")); done != messages-never || letters.JSON200.Unresolved != never {
			return fmt.Errorf("%d of %d are done, %d of %d are letters", done, messages-never, letters.JSON200.Unresolved, never)
		}
		return nil
	})
	for id, times := range list(t, up, "done") {
		assert.Equal(t, "1", times, id)
	}
	for k, kept := range order {
		assert.JSONEq(t, "["+kept[1:]+"]", list(t, up, "order")[fmt.Sprintf("k%d", k)])
	}
	for id, times := range list(t, up, "tries") {
		assert.Contains(t, []string{"1", "2", "3"}, times, id)
	}
	letters, err := up.Client.ListDeadLettersWithResponse(t.Context(), "shop", &client.ListDeadLettersParams{})
	require.NoError(t, err)
	for _, l := range letters.JSON200.Items {
		assert.Equal(t, 3, l.Attempts)
		var messages []struct{ Data struct{ ID, How string } }
		require.NoError(t, json.Unmarshal(l.Event.Data, &messages))
		require.Len(t, messages, 1)
		assert.Equal(t, []string{"never", l.ExecutionID}, []string{messages[0].Data.How, executions[messages[0].Data.ID]})
	}
	testkit.Eventually(t, settling, func() error {
		if left := queue(t, up, "rows"); left.Messages != 0 || left.Running != 0 || left.OldestAge != nil {
			return fmt.Errorf("left in the queue: %+v", left)
		}
		return nil
	})
}
