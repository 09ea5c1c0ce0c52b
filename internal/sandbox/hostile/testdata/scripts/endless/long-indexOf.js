// expect: CPULimitExceeded MemoryLimitExceeded SandboxDied WallLimitExceeded ok
export default async function (event, ctx) {
  const a = []; a.length = 2 ** 32 - 1; let n = 0; for (let i = 0; i < 1e6; i++) n += Array.prototype.indexOf.call(a, 1); return n;
}
