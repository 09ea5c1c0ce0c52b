// expect: CallDepthLimitExceeded StackLimitExceeded CPULimitExceeded
export default async function (event, ctx) {
  const f = () => JSON.parse('[1]', f); return f();
}
