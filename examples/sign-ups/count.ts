/** Counts the sign-ups of every plan that is paid for: the trigger's filter lets no other through. */
export default async function (event: TopicEvent<{ plan: string }>, ctx: Context) {
  const { plan } = event.data;
  await ctx.kv.set("plans", plan, (((await ctx.kv.get("plans", plan)) as number | null) ?? 0) + 1);
}
