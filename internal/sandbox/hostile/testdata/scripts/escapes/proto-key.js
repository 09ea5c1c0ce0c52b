// expect: ok
export default async function (event, ctx) {
  const o = JSON.parse('{"__proto__": {"polluted": 1}}'); await ctx.kv.set('a', 'b', o); return [{}.polluted === undefined, event.data.polluted === undefined];
}
