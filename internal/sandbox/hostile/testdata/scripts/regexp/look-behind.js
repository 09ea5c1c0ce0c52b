// expect: CPULimitExceeded WallLimitExceeded ok SyntaxError
export default async function (event, ctx) {
  return /(?<=(a+)+b)c/.test('a'.repeat(40) + 'c');
}
