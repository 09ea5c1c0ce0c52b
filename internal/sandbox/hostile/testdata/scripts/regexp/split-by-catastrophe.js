// expect: CPULimitExceeded WallLimitExceeded
export default async function (event, ctx) {
  return 'a'.repeat(50).split(/(?=(a+)+b)/).length;
}
