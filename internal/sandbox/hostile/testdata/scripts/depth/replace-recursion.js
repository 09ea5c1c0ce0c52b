// expect: CallDepthLimitExceeded StackLimitExceeded
export default async function (event, ctx) {
  const f = () => 'a'.replace(/a/, f); return f();
}
