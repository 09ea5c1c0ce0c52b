// expect: RangeError MemoryLimitExceeded
export default async function (event, ctx) {
  await ctx.kv.set('a', 'b', 'x'.repeat(1 << 20));
}
