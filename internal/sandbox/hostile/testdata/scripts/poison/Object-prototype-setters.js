// expect: ok TypeError Error
export default async function (event, ctx) {
  for (const k of ['status', 'headers', 'body', 'then', 'failure', 'value', '0', 'length', 'get', 'set']) Object.defineProperty(Object.prototype, k, { set() { throw new Error('poisoned ' + k); }, get() { return undefined; }, configurable: true }); await ctx.kv.get('a', 'b'); return [1];
}
