// expect: CPULimitExceeded
export default async function (event, ctx) {
  const o = { [Symbol.toPrimitive]() { for (;;) {} } }; return { a: 1 }[o];
}
