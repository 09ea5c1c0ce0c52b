// expect: CallDepthLimitExceeded StackLimitExceeded MemoryLimitExceeded CPULimitExceeded ok
export default async function (event, ctx) {
  let f = () => 1; for (let i = 0; i < 1e5; i++) f = f.bind(null); return f();
}
