// expect: MemoryLimitExceeded
export default async function (event, ctx) {
  let s = 'x'; for (;;) s += s;
}
