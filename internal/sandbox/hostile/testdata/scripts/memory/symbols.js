// expect: MemoryLimitExceeded CPULimitExceeded
export default async function (event, ctx) {
  const o = {}; for (let i = 0; ; i++) o[Symbol('s' + i)] = i;
}
