// expect: StackLimitExceeded MemoryLimitExceeded CPULimitExceeded CallDepthLimitExceeded RangeError
export default async function (event, ctx) {
  const a = []; a.push(a); return a.flat(Infinity).length;
}
