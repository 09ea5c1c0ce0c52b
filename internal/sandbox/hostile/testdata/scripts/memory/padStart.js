// expect: MemoryLimitExceeded SandboxDied
export default async function (event, ctx) {
  return 'x'.padStart(2 ** 31).length;
}
