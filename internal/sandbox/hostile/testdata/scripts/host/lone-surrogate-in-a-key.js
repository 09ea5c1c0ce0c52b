// expect: TypeError ok
export default async function (event, ctx) {
  await ctx.kv.set('a', '\ud800', 1); return 1;
}
