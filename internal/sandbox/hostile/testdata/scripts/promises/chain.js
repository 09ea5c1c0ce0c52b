// expect: CPULimitExceeded MemoryLimitExceeded
export default async function (event, ctx) {
  let p = Promise.resolve(0); for (;;) p = p.then((n) => n + 1);
}
