// expect: StackLimitExceeded MemoryLimitExceeded CPULimitExceeded CallDepthLimitExceeded
export default async function (event, ctx) {
  let o = []; for (let i = 0; i < 2e6; i++) o = [o]; await ctx.kv.set('a', 'b', o);
}
