package sandbox_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

// Messages are buffered with the kv writes, in the order in which the script asked for them.
func TestMessagesAreEffects(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	out := b.run(`export default async (e: any, ctx: any) => {
		await ctx.topics.publish("orders.paid", { n: "ä" });
		ctx.kv.set("c", "k", 1);
		ctx.topics.publish("orders.paid", null);
		await ctx.queues.send("mail", { to: "a" });
		await ctx.queues.send("mail", [], { delay: "1m30s", priority: -7, orderingKey: "k" });
	}`)
	require.Nil(t, out.Failure, "%v", out.Failure)
	require.Equal(t, []picloud.Effect{
		{Type: picloud.EffectTopicPublish, Topic: "orders.paid", Value: []byte(`{"n":"ä"}`)}, {Type: picloud.EffectKVSet, Collection: "c", Key: "k", Value: []byte(`1`)},
		{Type: picloud.EffectTopicPublish, Topic: "orders.paid", Value: []byte(`null`)},
		{Type: picloud.EffectQueueSend, Queue: "mail", Value: []byte(`{"to":"a"}`)}, {Type: picloud.EffectQueueSend, Queue: "mail", Delay: 90 * time.Second, Priority: -7, OrderingKey: "k", Value: []byte(`[]`)},
	}, out.Effects)
}

func TestMessagesThatAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	for call, want := range map[string]string{
		`ctx.topics.publish("a*", 1)`:                  "TypeError: topic may not contain a star: a message has one topic",
		`ctx.topics.publish(7, 1)`:                     "TypeError: topic must be a string, is a number",
		`ctx.topics.publish("", 1)`:                    "TypeError: topic must be 1 to 256 bytes long, is 0",
		`ctx.topics.publish("a")`:                      "TypeError: data must be JSON, is undefined",
		`ctx.topics.publish("a", "x".repeat(2 ** 20))`: "RangeError: data has 1048578 bytes, the payload limit is 1048576",
		`ctx.queues.send("m*", 1)`:                     "TypeError: queue may not contain a star: a message has one queue",
		`ctx.queues.send("m", 1, { delay: "soon" })`:   `TypeError: delay must be a duration, e.g. \"500ms\", \"10s\" or \"5m\"`,
		`ctx.queues.send("m", 1, { delay: 5 })`:        "TypeError: delay must be a string, is a number",
		`ctx.queues.send("m", 1, { delay: "-1s" })`:    `TypeError: delay must be \"0s\" to \"168h\"`,
		`ctx.queues.send("m", 1, { priority: 1.5 })`:   "TypeError: priority must be a whole number, -100 to 100",
		`ctx.queues.send("m", 1, { orderingKey: "" })`: "TypeError: orderingKey must not be empty: leave it out where no order is wanted",
		`ctx.queues.send("m", 1, { orderingKey: 5 })`:  "TypeError: orderingKey must be a string, is a number",
		`ctx.queues.send("m", 1, "5m")`:                "TypeError: options must be an object {delay?, priority?, orderingKey?}",
	} {
		require.Equal(t, `"`+want+`"`, b.value(`try { await `+call+`; return "sent"; } catch (e: any) { return String(e); }`), call)
	}
}
