// expect: Error
export default async function (event, ctx) {
  await ctx.kv.set('a', 'b', 1); throw new Error('no effects');
}
