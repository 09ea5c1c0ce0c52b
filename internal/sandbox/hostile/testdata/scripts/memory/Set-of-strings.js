// expect: MemoryLimitExceeded CPULimitExceeded
export default async function (event, ctx) {
  const m = new Set(); for (let i = 0; ; i++) m.add('key number ' + i);
}
