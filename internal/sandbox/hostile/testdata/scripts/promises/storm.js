// expect: CPULimitExceeded MemoryLimitExceeded
export default async function (event, ctx) {
  const all = []; for (;;) all.push(new Promise(() => {}));
}
