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

// A mail is kept with its sender and its id; the same script run again gives it the same id.
func TestMailsAreEffects(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	out := b.run(`export default async (e: any, ctx: any) => {
		await ctx.email.send({ to: "a@b.example", subject: "Grüße", text: "x" });
		await ctx.email.send({ to: ["Ann <a@b.example>", "c@d.example"], cc: [], bcc: "e@f.example", from: "me@x.example", reply_to: "r@x.example", subject: "2", html: "<p>", headers: { "X-Tag": "1" },
			attachments: [{ filename: "a.txt", content: btoa("hi") }] });
	}`)
	require.Nil(t, out.Failure, "%v", out.Failure)
	require.Len(t, out.Effects, 2)
	require.Equal(t, picloud.Effect{
		Type: picloud.EffectEmailSend, To: []string{"a@b.example"}, Subject: "Grüße", Size: 51,
		Value: []byte(`{"to":["a@b.example"],"from":"fulfil@shop.localhost","subject":"Grüße","text":"x","message_id":"0190-exec.1@localhost"}`),
	}, out.Effects[0])
	require.Equal(t, []string{"a@b.example", "c@d.example", "e@f.example"}, out.Effects[1].To)
	require.Contains(t, string(out.Effects[1].Value), `"message_id":"0190-exec.2@localhost"`)
	require.Nil(t, out.Effects[1].Kept().Value)
}

func TestMailsThatAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	for mail, want := range map[string]string{
		`null`:                                            "TypeError: mail must be an object {to, subject, text, …}",
		`{ subject: "x", text: "x" }`:                     "TypeError: to is required: an address or a list of addresses",
		`{ to: "nobody", text: "x" }`:                     `TypeError: to[0] \"nobody\" is no address: write \"a@b.example\" or \"Ann <a@b.example>\"`,
		`{ to: ["a@b.c", 7], text: "x" }`:                 "TypeError: to must be an address or a list of addresses",
		`{ to: "a@b.c" }`:                                 "TypeError: text is required, or html, or attachments: the mail is empty",
		`{ to: "a@b.c", text: "x", body: "x" }`:           "TypeError: body is no field of a mail: there are attachments, bcc, cc, from, headers, html, reply_to, subject, text, to",
		`{ to: "a@b.c", text: "x", subject: "a\n b: c" }`: "TypeError: subject must be one line of at most 998 bytes",
		`{ to: "a@b.c", text: "x", headers: { "X-A": "1\r\nBcc: d@e.f" } }`: "TypeError: headers.X-A must be one line of at most 2000 bytes",
		`{ to: "a@b.c", text: "x", headers: { "bcc": "d@e.f" } }`:           "TypeError: headers.bcc cannot be set: it is made of the mail's other fields",
		`{ to: "a@b.c", text: "x", headers: { "X: Y": "1" } }`:              "TypeError: headers.X: Y is no name of a header",
		`{ to: "a@b.c\r\nRCPT TO:<d@e.f>", text: "x" }`:                     "TypeError: to[0]",
		`{ to: "a@b.c", text: "x", from: "x" }`:                             "TypeError: from",
		`{ to: "a@b.c", attachments: [{ filename: "a", content: "%%%" }] }`: "TypeError: attachments must be a list of {filename, content_type?, content (base64)}",
		`{ to: "a@b.c", attachments: [{ filename: "", content: "" }] }`:     "TypeError: attachments[0].filename must be one line of 1 to 255 bytes",
		`{ to: Array(101).fill("a@b.c"), text: "x" }`:                       "TypeError: to has 101 recipients with cc and bcc: at most 100",
		`{ to: "a@b.c", text: "x".repeat(2 ** 20) }`:                        "RangeError: mail has 1048600 bytes, the payload limit is 1048576",
	} {
		require.Contains(t, b.value(`try { await ctx.email.send(`+mail+`); return "sent"; } catch (e: any) { return String(e); }`), want, mail)
	}
}
