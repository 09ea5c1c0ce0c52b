// expect: HostCallLimitExceeded
export default async function (event, ctx) {
  for (;;) await ctx.kv.get('a', 'b');
}
