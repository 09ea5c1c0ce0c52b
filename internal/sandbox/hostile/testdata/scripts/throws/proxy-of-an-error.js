// expect: Error TypeError
export default async function (event, ctx) {
  throw new Proxy(new Error('x'), { get() { throw new Error('no'); } });
}
