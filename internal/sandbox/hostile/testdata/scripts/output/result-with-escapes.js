// expect: PayloadLimitExceeded MemoryLimitExceeded CPULimitExceeded
export default async function (event, ctx) {
  return '\u0001'.repeat(1 << 15);
}
