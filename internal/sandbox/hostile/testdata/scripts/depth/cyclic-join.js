// expect: StackLimitExceeded CallDepthLimitExceeded ok CPULimitExceeded MemoryLimitExceeded
export default async function (event, ctx) {
  const a = [1]; a.push(a); return a.join();
}
