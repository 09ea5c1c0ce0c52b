// expect: MemoryLimitExceeded CPULimitExceeded SandboxDied
export default async function (event, ctx) {
  let s = 'ab'; for (;;) s = s.replaceAll('a', '$&$&$`' + "$'");
}
