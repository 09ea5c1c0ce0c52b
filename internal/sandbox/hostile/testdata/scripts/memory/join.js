// expect: MemoryLimitExceeded SandboxDied
export default async function (event, ctx) {
  return new Array(2 ** 26).join('x'.repeat(64)).length;
}
