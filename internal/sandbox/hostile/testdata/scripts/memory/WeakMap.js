// expect: MemoryLimitExceeded CPULimitExceeded
export default async function (event, ctx) {
  const m = new WeakMap(), keep = []; for (;;) { const k = {}; keep.push(k); m.set(k, k); }
}
