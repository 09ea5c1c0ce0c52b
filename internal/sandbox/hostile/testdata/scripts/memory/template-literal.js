// expect: MemoryLimitExceeded SandboxDied
export default async function (event, ctx) {
  let s = 'x'.repeat(1000); for (;;) s = `${s}${s}${s}`;
}
