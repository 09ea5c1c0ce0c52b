// expect: RetryAfterError
export default async function (event, ctx) {
  const e = new RetryAfterError('x', '1s'); e.retryAfter = { valueOf() { return 1e300; } }; throw e;
}
