// expect: Error MemoryLimitExceeded
export default async function (event, ctx) {
  throw new Error('x'.repeat(1 << 22));
}
