// expect: CallDepthLimitExceeded StackLimitExceeded
export default async function (event, ctx) {
  const o = { toString() { return '' + this; } }; return '' + o;
}
