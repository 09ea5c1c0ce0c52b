// expect: CallDepthLimitExceeded
export default async function (event, ctx) {
  const f = (n) => f(n + 1) + 1; return f(0);
}
