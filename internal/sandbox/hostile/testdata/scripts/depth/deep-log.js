// expect: ok StackLimitExceeded MemoryLimitExceeded CPULimitExceeded CallDepthLimitExceeded
export default async function (event, ctx) {
  let o = []; for (let i = 0; i < 1e5; i++) o = [o]; console.log(o); return 1;
}
