// expect: MemoryLimitExceeded CPULimitExceeded
export default async function (event, ctx) {
  for (;;) setTimeout(() => {}, 60000);
}
