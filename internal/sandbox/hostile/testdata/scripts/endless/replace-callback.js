// expect: CPULimitExceeded
export default async function (event, ctx) {
  return 'a'.replace('a', () => { for (;;) {} });
}
