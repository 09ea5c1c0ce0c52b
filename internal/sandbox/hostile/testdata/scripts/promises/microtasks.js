// expect: CPULimitExceeded MemoryLimitExceeded
export default async function (event, ctx) {
  const f = () => Promise.resolve().then(f); await f();
}
