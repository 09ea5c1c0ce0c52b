// expect: CPULimitExceeded MemoryLimitExceeded
export default async function (event, ctx) {
  return Array.from({ length: 2 ** 40 }, () => 1).length;
}
