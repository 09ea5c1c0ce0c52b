// expect: MemoryLimitExceeded CPULimitExceeded SandboxDied
export default async function (event, ctx) {
  return 'x'.repeat(1 << 24).split('').length;
}
