// expect: MemoryLimitExceeded CPULimitExceeded SandboxDied
export default async function (event, ctx) {
  return (2n ** 30000000n).toString().length;
}
