// expect: CPULimitExceeded
export default async function (event, ctx) {
  throw Object.defineProperty(new Error(), 'message', { get() { for (;;) {} } });
}
