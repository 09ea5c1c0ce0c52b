// expect: ok CPULimitExceeded MemoryLimitExceeded
export default async function (event, ctx) {
  console.log(new Array(1e6).fill({ a: 1 })); return 1;
}
