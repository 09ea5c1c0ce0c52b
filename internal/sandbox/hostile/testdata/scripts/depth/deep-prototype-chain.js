// expect: ok CPULimitExceeded MemoryLimitExceeded StackLimitExceeded
export default async function (event, ctx) {
  let o = {}; for (let i = 0; i < 1e5; i++) o = Object.create(o); return o.missing === undefined;
}
