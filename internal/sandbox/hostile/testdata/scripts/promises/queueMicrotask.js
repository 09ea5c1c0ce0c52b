// expect: CPULimitExceeded MemoryLimitExceeded
export default async function (event, ctx) {
  const f = () => queueMicrotask(f); f(); await new Promise((r) => setTimeout(r, 1));
}
