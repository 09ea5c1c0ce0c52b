/** Keeps a trail of all that happens to users, a key a message, with the trace that it belongs to. */
export default async function (event: TopicEvent, ctx: Context) {
  await ctx.kv.set("trail", event.id, { topic: event.subject, data: event.data, root: event.rootid, trace: event.traceparent });
}
