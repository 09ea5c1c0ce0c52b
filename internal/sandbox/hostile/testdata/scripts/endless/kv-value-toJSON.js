// expect: CPULimitExceeded
export default async function (event, ctx) {
  await ctx.kv.set('a', 'b', { toJSON() { for (;;) {} } });
}
