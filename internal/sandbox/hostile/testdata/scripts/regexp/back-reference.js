// expect: CPULimitExceeded WallLimitExceeded
export default async function (event, ctx) {
  return /^(a+)\1*b$|^(?=(a+)+b)/.test('a'.repeat(40));
}
