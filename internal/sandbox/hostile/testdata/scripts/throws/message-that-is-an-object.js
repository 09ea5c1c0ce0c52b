// expect: Error
export default async function (event, ctx) {
  const e = new Error('x'); e.message = { toString() { throw 1; } }; throw e;
}
