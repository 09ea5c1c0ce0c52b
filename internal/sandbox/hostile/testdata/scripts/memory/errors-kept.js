// expect: MemoryLimitExceeded CPULimitExceeded
export default async function (event, ctx) {
  const all = []; for (;;) all.push(new Error('kept'));
}
