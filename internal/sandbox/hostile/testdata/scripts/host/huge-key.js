// expect: TypeError
export default async function (event, ctx) {
  await ctx.kv.get('a', 'k'.repeat(1 << 20));
}
