// expect: TypeError
export default async function (event, ctx) {
  await ctx.kv.set('a', 'b\u0000c', 1);
}
