// expect: CallDepthLimitExceeded StackLimitExceeded
export default async function (event, ctx) {
  function f() { return f.call.apply(f, [null]); } return f();
}
