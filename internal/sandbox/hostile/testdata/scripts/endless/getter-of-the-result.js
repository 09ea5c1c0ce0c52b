// expect: CPULimitExceeded
export default async function (event, ctx) {
  return { get a() { for (;;) {} } };
}
