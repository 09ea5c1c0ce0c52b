// expect: MemoryLimitExceeded SandboxDied
export default async function (event, ctx) {
  return 'x'.repeat(2 ** 30).length;
}
