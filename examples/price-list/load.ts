interface Row {
  sku: string;
  cents: number;
}

/** Loads rows of a price list, many at a time. Those without a price are named as failed: they alone come again, and in the end they are dead letters. */
export default async function (event: QueueBatchEvent<Row>, ctx: Context): Promise<BatchResult> {
  const failed: string[] = [];
  for (const { id, data } of event.data) {
    if (data.cents > 0) await ctx.kv.set("prices", data.sku, data.cents);
    else failed.push(id);
  }
  return { failed };
}
