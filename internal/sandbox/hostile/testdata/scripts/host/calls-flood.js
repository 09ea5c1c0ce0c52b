// expect: HostCallLimitExceeded
export default async function (event, ctx) {
  for (;;) ctx.kv.get('a', 'b');
}
