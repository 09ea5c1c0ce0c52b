// expect: CallDepthLimitExceeded StackLimitExceeded
export default async function (event, ctx) {
  const f = () => [1].map(f); return f();
}
