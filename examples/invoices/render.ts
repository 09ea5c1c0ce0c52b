interface Invoice {
  id: string;
  lines: { text: string; cents: number }[];
}

/** Renders one invoice as text. An invoice without lines will never be right: it is not tried again. */
export default async function (event: QueueEvent<Invoice>, ctx: Context) {
  const { id, lines } = event.data;
  if (!lines?.length) throw new NonRetryableError(`invoice ${id} has no lines`);
  const sum = lines.reduce((total, line) => total + line.cents, 0);
  const text = [...lines.map((line) => `${line.text}: ${(line.cents / 100).toFixed(2)}`), `sum: ${(sum / 100).toFixed(2)}`].join("\n");
  await ctx.kv.set("rendered", id, { text, sum });
}
