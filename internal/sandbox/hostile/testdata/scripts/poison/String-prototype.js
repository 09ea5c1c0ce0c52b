// expect: ok Error TypeError
export default async function (event, ctx) {
  for (const k of Object.getOwnPropertyNames(String.prototype)) if (k !== 'length' && k !== 'constructor') try { String.prototype[k] = () => { throw new Error('poisoned'); }; } catch {} return new Response('x', { headers: { a: 'b' } });
}
