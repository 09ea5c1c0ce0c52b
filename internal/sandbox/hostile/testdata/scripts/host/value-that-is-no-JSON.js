// expect: TypeError
export default async function (event, ctx) {
  await ctx.kv.set('a', 'b', () => 1);
}
