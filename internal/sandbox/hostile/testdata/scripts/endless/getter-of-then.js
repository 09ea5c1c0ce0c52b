// expect: CPULimitExceeded
export default async function (event, ctx) {
  return { get then() { for (;;) {} } };
}
