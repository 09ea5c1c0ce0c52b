// expect: PayloadLimitExceeded MemoryLimitExceeded CPULimitExceeded
export default async function (event, ctx) {
  return 'x'.repeat(1 << 20);
}
