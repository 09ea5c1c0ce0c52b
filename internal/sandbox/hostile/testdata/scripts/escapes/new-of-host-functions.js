// expect: ok TypeError Error
export default async function (event, ctx) {
  try { new ctx.kv.get('a', 'b'); } catch {} try { Reflect.construct(ctx.kv.get, [], Map); } catch {} return 1;
}
