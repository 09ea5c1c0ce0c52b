// expect: CPULimitExceeded MemoryLimitExceeded
export default async function (event, ctx) {
  for await (const x of (async function* () { for (;;) yield 1; })()) if (x === 2) return 1;
}
