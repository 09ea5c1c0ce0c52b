// expect: CPULimitExceeded MemoryLimitExceeded
export default async function (event, ctx) {
  return [...{ [Symbol.iterator]: () => ({ next: () => ({ value: 1, done: false }) }) }];
}
