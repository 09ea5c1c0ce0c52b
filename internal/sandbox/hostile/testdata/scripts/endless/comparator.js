// expect: CPULimitExceeded
export default async function (event, ctx) {
  return [3, 2, 1].sort(() => { for (;;) {} });
}
