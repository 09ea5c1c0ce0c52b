// expect: CallDepthLimitExceeded StackLimitExceeded
export default async function (event, ctx) {
  const f = () => [2, 1].sort(f); return f();
}
