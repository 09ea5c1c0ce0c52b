// expect: ok Error TypeError
export default async function (event, ctx) {
  Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => { throw new Error('poisoned'); }; await ctx.kv.get('a', 'b'); return new Response('x');
}
