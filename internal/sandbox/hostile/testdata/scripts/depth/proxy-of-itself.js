// expect: CallDepthLimitExceeded StackLimitExceeded
export default async function (event, ctx) {
  const p = new Proxy({}, { get: (t, k, r) => r[k] }); return p.x;
}
