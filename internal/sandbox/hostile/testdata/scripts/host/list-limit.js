// expect: TypeError RangeError ok
export default async function (event, ctx) {
  await ctx.kv.list('a', { limit: -1 });
}
