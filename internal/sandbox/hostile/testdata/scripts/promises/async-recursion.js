// expect: CPULimitExceeded MemoryLimitExceeded CallDepthLimitExceeded
export default async function (event, ctx) {
  const f = async () => { await null; return (await f()) + 1; }; return f();
}
