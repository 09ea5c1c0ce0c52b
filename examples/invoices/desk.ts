/** Puts what could not be rendered on the desk of a person, with the reason. That it succeeds makes the letter "handled_by_script". */
export default async function (event: DeadLetterEvent, ctx: Context) {
  const letter = event.data;
  await ctx.kv.set("desk", letter.execution_id, { invoice: letter.event.data, why: letter.error.message, tried: letter.attempts });
}
