// Keeps what was delivered, by its sender. Only genuine deliveries come here, each of them once.
export default async function (event: HttpEvent<{ id?: string; type?: string; action?: string }>, ctx: Context) {
  const { path, headers, body } = event.data;
  const sender = path.slice(1);
  const id = headers["x-github-delivery"] ?? body.id ?? event.id;
  await ctx.kv.set("deliveries", `${sender}:${id}`, { what: headers["x-github-event"] ?? body.type, at: event.time });
  await ctx.topics.publish(`webhook.${sender}`, body);
  return { received: id };
}
