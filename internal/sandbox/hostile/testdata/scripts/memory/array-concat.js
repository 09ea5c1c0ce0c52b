// expect: MemoryLimitExceeded CPULimitExceeded
export default async function (event, ctx) {
  let a = [1]; for (;;) a = a.concat(a);
}
