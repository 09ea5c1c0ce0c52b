// expect: Error MemoryLimitExceeded
export default async function (event, ctx) {
  const e = new Error('x'); e.message = 'y'.repeat(1 << 22); throw e;
}
