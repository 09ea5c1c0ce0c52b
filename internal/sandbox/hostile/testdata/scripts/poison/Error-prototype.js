// expect: Error CPULimitExceeded TypeError
export default async function (event, ctx) {
  Object.defineProperty(Error.prototype, 'message', { get() { for (;;) {} } }); Object.defineProperty(Error.prototype, 'name', { get() { for (;;) {} } }); throw new Error();
}
