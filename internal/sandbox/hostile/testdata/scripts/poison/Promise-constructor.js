// expect: ok Error TypeError
export default async function (event, ctx) {
  Promise.prototype.constructor = function () { throw new Error('poisoned'); }; Promise.resolve = () => { throw new Error('poisoned'); }; await ctx.kv.get('a', 'b'); return 1;
}
