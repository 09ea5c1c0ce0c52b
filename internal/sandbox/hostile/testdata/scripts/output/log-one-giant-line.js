// expect: ok MemoryLimitExceeded
export default async function (event, ctx) {
  console.log('x'.repeat(1 << 22)); return 1;
}
