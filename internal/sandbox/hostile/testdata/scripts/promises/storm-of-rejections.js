// expect: CPULimitExceeded MemoryLimitExceeded
export default async function (event, ctx) {
  for (;;) Promise.reject(new Error('x'));
}
