// expect: MemoryLimitExceeded CPULimitExceeded
export default async function (event, ctx) {
  const m = new Map(); for (let i = 0; ; i++) m.set(i, { i });
}
