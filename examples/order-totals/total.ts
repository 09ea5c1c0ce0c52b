interface Order {
  customer: string;
  total: number;
}

/** Adds what has changed of an order to its customer's total. Two orders at a time do not lose each other's part: the run whose read is no longer true is made again. */
export default async function (event: KVEvent<Order>, ctx: Context) {
  const { value, old_value: old } = event.data;
  if (old) await add(ctx, old.customer, -old.total);
  if (value) await add(ctx, value.customer, value.total);
}

async function add(ctx: Context, customer: string, amount: number) {
  const total = ((await ctx.kv.get("totals", customer)) ?? 0) as number;
  await ctx.kv.set("totals", customer, total + amount);
}
