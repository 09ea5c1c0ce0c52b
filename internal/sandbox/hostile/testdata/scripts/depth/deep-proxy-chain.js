// expect: StackLimitExceeded MemoryLimitExceeded CPULimitExceeded CallDepthLimitExceeded SandboxDied
export default async function (event, ctx) {
  let o = {}; for (let i = 0; i < 1e6; i++) o = new Proxy(o, {}); return o.missing;
}
