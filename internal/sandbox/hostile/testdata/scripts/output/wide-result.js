// expect: PayloadLimitExceeded MemoryLimitExceeded CPULimitExceeded
export default async function (event, ctx) {
  return new Array(3e5).fill('xxxx');
}
