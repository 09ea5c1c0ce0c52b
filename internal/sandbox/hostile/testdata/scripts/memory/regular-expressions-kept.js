// expect: MemoryLimitExceeded CPULimitExceeded
export default async function (event, ctx) {
  const all = []; for (let i = 0; ; i++) all.push(new RegExp('a{1,' + (i % 900 + 1) + '}b' + i));
}
