// expect: CPULimitExceeded WallLimitExceeded MemoryLimitExceeded SandboxDied SyntaxError ok
export default async function (event, ctx) {
  return new RegExp('(?:(?:a{1,1000}){1,1000}){1,1000}').test('b');
}
