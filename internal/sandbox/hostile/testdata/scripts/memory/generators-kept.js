// expect: MemoryLimitExceeded CPULimitExceeded
export default async function (event, ctx) {
  const all = []; function* g() { const big = new Array(100).fill(1); yield big; } for (;;) { const i = g(); i.next(); all.push(i); }
}
