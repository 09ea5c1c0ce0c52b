// expect: MemoryLimitExceeded SandboxDied CPULimitExceeded RangeError
export default async function (event, ctx) {
  return new Array(2 ** 31).fill(1).length;
}
