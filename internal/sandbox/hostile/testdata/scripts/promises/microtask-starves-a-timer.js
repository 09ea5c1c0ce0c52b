// expect: CPULimitExceeded MemoryLimitExceeded
export default async function (event, ctx) {
  let done = false; setTimeout(() => { done = true; }, 0); while (!done) await null; return 1;
}
