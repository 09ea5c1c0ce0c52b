// expect: CPULimitExceeded
export default async function (event, ctx) {
  const e = new Error('x'); Object.defineProperty(e, 'constructor', { get() { for (;;) {} } }); throw e;
}
