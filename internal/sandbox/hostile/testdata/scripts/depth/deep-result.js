// expect: StackLimitExceeded MemoryLimitExceeded CPULimitExceeded CallDepthLimitExceeded PayloadLimitExceeded
export default async function (event, ctx) {
  let o = []; for (let i = 0; i < 2e6; i++) o = [o]; return o;
}
