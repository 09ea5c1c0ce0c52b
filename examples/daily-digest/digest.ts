interface Note {
  text: string;
}

/** Writes digests/<day> from the notes of the day before the tick. The day comes from the tick and not from the clock: a backfill makes the digests of past days. */
export default async function (event: CronEvent, ctx: Context) {
  const before = new Date(Date.parse(event.data.scheduled_at) - 24 * 60 * 60 * 1000);
  const day = before.toISOString().slice(0, 10);
  const lines: string[] = [];
  let cursor: string | null = null;
  do {
    const page: KVPage<Note> = await ctx.kv.list("notes", { prefix: day + "/", cursor });
    for (const entry of page.items) lines.push(entry.value.text);
    cursor = page.nextCursor;
  } while (cursor);
  await ctx.kv.set("digests", day, { notes: lines.length, text: lines.join("\n") });
  return { day, notes: lines.length };
}
