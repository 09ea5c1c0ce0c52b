// expect: TypeError RangeError
export default async function (event, ctx) {
  await ctx.kv.list('a', { prefix: 'p'.repeat(1 << 16), limit: 1e300, cursor: 'c' });
}
