// expect: ok TypeError
export default async function (event, ctx) {
  for (const k of ['get', 'set', 'delete', 'list']) for (const self of [null, 1, {}, globalThis]) try { await ctx.kv[k].call(self); } catch {} return 1;
}
