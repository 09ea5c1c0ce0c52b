// expect: CPULimitExceeded WallLimitExceeded
export default async function (event, ctx) {
  return /^(?<q>a*)*\k<q>*c$/.test('a'.repeat(60));
}
