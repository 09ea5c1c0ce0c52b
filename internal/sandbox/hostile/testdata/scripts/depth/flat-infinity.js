// expect: StackLimitExceeded MemoryLimitExceeded CPULimitExceeded CallDepthLimitExceeded RangeError
export default async function (event, ctx) {
  let a = [1]; for (let i = 0; i < 1e6; i++) a = [a]; return a.flat(Infinity).length;
}
