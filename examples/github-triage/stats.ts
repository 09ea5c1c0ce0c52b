// Keeps the statistics of each repository: stats/<owner>/<name>. Fired by every stored delivery.

interface Stats {
  total: number;
  events: Record<string, number>;
  senders: Record<string, number>;
  last: { event: string; title: string | null } | null;
}

export default async function (event: KVCreatedEvent, ctx: Context) {
  const delivery = event.data.value;
  const key = delivery.repository.full_name; // not every delivery has a repository: see stats.fixed.ts

  const stats: Stats = (await ctx.kv.get("stats", key)) ?? { total: 0, events: {}, senders: {}, last: null };
  stats.total += 1;
  stats.events[delivery.event] = (stats.events[delivery.event] ?? 0) + 1;
  if (delivery.sender) {
    stats.senders[delivery.sender] = (stats.senders[delivery.sender] ?? 0) + 1;
  }
  stats.last = { event: delivery.event, title: delivery.title };
  await ctx.kv.set("stats", key, stats);

  console.log(`${key}: ${stats.total} deliveries`);
  return { key, total: stats.total };
}
