// expect: MemoryLimitExceeded CPULimitExceeded SandboxDied
export default async function (event, ctx) {
  let n = 3n; for (;;) n = n * n;
}
