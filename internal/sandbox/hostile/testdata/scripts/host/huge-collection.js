// expect: TypeError
export default async function (event, ctx) {
  await ctx.kv.get('c'.repeat(1 << 20), 'k');
}
