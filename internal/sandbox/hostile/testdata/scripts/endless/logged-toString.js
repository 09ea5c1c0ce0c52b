// expect: CPULimitExceeded ok
export default async function (event, ctx) {
  console.log('%s', { toString() { for (;;) {} } }); console.log(Symbol.prototype, { [Symbol.toPrimitive]() { for (;;) {} } }); return 1;
}
