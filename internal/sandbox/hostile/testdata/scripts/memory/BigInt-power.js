// expect: MemoryLimitExceeded CPULimitExceeded SandboxDied RangeError
export default async function (event, ctx) {
  return (7n ** 100000000n).toString().length;
}
