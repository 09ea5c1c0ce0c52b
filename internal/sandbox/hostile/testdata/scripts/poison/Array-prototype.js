// expect: ok TypeError Error
export default async function (event, ctx) {
  for (const k of Object.getOwnPropertyNames(Array.prototype)) if (k !== 'length' && k !== 'constructor') Array.prototype[k] = () => { throw new Error('poisoned'); }; return [1, 2];
}
