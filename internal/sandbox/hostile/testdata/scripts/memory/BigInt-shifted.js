// expect: MemoryLimitExceeded CPULimitExceeded SandboxDied RangeError
export default async function (event, ctx) {
  return (1n << 40000000000n).toString().length;
}
