// expect: CPULimitExceeded
export default async function (event, ctx) {
  await new Promise((r) => setTimeout(() => { for (;;) {} }, 1));
}
