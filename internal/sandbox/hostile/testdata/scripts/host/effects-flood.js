// expect: EffectLimitExceeded
export default async function (event, ctx) {
  for (let i = 0; ; i++) await ctx.kv.set('a', 'b' + i, i);
}
