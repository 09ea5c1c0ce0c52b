// expect: CPULimitExceeded
export default async function (event, ctx) {
  return new Proxy({}, { ownKeys() { for (;;) {} } });
}
