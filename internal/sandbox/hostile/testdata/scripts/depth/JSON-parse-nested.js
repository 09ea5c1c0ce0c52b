// expect: StackLimitExceeded MemoryLimitExceeded CPULimitExceeded CallDepthLimitExceeded SyntaxError
export default async function (event, ctx) {
  return JSON.parse('['.repeat(5e6));
}
