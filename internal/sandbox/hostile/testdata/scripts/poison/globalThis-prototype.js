// expect: ok Error TypeError CPULimitExceeded
export default async function (event, ctx) {
  Object.setPrototypeOf(globalThis, new Proxy({}, { get() { for (;;) {} }, has() { return true; } })); return typeof nothingOfThatName;
}
