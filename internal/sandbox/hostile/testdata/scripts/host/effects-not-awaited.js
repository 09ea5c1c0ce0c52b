// expect: EffectLimitExceeded
export default async function (event, ctx) {
  for (let i = 0; i < 1e6; i++) ctx.kv.delete('a', 'b' + i); await null;
}
