// expect: Error MemoryLimitExceeded
export default async function (event, ctx) {
  const e = new Error('x'); e.stack = 'at a\n'.repeat(1 << 20); throw e;
}
