// expect: CPULimitExceeded
export default async function (event, ctx) {
  return +{ valueOf() { for (;;) {} } };
}
