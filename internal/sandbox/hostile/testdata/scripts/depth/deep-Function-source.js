// expect: StackLimitExceeded MemoryLimitExceeded CPULimitExceeded CallDepthLimitExceeded SyntaxError EvalError TypeError SandboxDied
export default async function (event, ctx) {
  return Function('return ' + '('.repeat(1e6) + ')'.repeat(1e6))();
}
