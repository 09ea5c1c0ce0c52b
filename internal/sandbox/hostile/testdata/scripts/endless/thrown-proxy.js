// expect: CPULimitExceeded ok Error
export default async function (event, ctx) {
  throw new Proxy({}, { get() { for (;;) {} }, ownKeys() { for (;;) {} } });
}
