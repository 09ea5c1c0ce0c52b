// expect: TypeError
export default async function (event, ctx) {
  const o = {}; o.o = o; await ctx.kv.set('a', 'b', o);
}
