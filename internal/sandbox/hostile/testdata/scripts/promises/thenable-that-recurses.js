// expect: CPULimitExceeded MemoryLimitExceeded CallDepthLimitExceeded
export default async function (event, ctx) {
  const t = { then(r) { r(t); } }; await t;
}
