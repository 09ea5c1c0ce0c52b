// expect: ok PayloadLimitExceeded
export default async function (event, ctx) {
  return '\ud800'.repeat(100);
}
