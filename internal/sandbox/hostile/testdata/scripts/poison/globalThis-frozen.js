// expect: ok Error TypeError
export default async function (event, ctx) {
  Object.freeze(globalThis); Object.freeze(Object.prototype); Object.freeze(Array.prototype); await ctx.kv.get('a', 'b'); return new Response('x');
}
