// expect: MemoryLimitExceeded CPULimitExceeded
export default async function (event, ctx) {
  const all = []; for (;;) all.push(new Array(1000).fill(1));
}
