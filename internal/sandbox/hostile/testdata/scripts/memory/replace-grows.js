// expect: MemoryLimitExceeded CPULimitExceeded SandboxDied
export default async function (event, ctx) {
  let s = 'aa'; for (;;) s = s.replace(/a/g, 'aaaa');
}
