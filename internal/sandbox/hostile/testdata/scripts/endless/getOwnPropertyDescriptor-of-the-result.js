// expect: CPULimitExceeded
export default async function (event, ctx) {
  return new Proxy({ a: 1 }, { getOwnPropertyDescriptor() { for (;;) {} } });
}
