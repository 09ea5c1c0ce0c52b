// expect: CPULimitExceeded MemoryLimitExceeded SandboxDied WallLimitExceeded
export default async function (event, ctx) {
  return Array.prototype.join.call({ length: 2 ** 40 }, '').length;
}
