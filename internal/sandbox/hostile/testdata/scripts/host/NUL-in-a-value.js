// expect: ok
export default async function (event, ctx) {
  await ctx.kv.set('a', 'b', 'x\u0000y'); return await ctx.kv.get('a', 'b');
}
