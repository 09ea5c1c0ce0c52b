// expect: ok
export default async function (event, ctx) {
  JSON.stringify = () => { throw new Error('poisoned'); }; JSON.parse = JSON.stringify; await ctx.kv.set('a', 'b', { c: 1 }); return { a: 1 };
}
