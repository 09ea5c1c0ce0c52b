// expect: HostCallLimitExceeded CPULimitExceeded CallDepthLimitExceeded StackLimitExceeded
export default async function (event, ctx) {
  const o = { get x() { ctx.kv.set('a', 'b', o); return 1; } }; await ctx.kv.set('a', 'b', o);
}
