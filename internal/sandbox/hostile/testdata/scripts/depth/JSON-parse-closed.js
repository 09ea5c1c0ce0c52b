// expect: StackLimitExceeded MemoryLimitExceeded CPULimitExceeded CallDepthLimitExceeded SandboxDied SyntaxError
export default async function (event, ctx) {
  return JSON.parse('['.repeat(1e6) + ']'.repeat(1e6)) && 1;
}
