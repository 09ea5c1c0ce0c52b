// expect: CPULimitExceeded WallLimitExceeded
export default async function (event, ctx) {
  return ('a'.repeat(50) + 'c').replace(/(?=(a|a|aa)+b)/g, 'x').length;
}
