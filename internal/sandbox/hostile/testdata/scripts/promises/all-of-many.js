// expect: CPULimitExceeded MemoryLimitExceeded
export default async function (event, ctx) {
  return (await Promise.all(new Array(1e7).fill(Promise.resolve(1)))).length;
}
