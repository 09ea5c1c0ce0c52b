// expect: CPULimitExceeded WallLimitExceeded
export default async function (event, ctx) {
  return /(?=(a+)+$)b?(x+x+)+y/.test('x'.repeat(60)) || /^(?=((a*)*)*c)/.test('a'.repeat(40));
}
