// expect: MemoryLimitExceeded CPULimitExceeded
export default async function (event, ctx) {
  let f = () => 1; for (;;) { const g = f; f = () => g() + 1; }
}
