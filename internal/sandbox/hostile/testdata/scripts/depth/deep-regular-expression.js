// expect: StackLimitExceeded MemoryLimitExceeded CPULimitExceeded CallDepthLimitExceeded SyntaxError SandboxDied
export default async function (event, ctx) {
  return new RegExp('('.repeat(1e6) + ')'.repeat(1e6)).test('x');
}
