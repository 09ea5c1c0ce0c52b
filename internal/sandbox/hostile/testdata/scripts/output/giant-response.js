// expect: PayloadLimitExceeded MemoryLimitExceeded CPULimitExceeded
export default async function (event, ctx) {
  return new Response('x'.repeat(1 << 20));
}
