// expect: MemoryLimitExceeded CPULimitExceeded SandboxDied
export default async function (event, ctx) {
  const a = []; a[2 ** 30] = 1; return Array.from(a).length;
}
