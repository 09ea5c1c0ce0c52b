// expect: CPULimitExceeded
export default async function (event, ctx) {
  await ctx.kv.list('a', { get prefix() { for (;;) {} } });
}
