// expect: ok HostCallLimitExceeded
export default async function (event, ctx) {
  return (await Promise.all(Array.from({ length: 20 }, () => ctx.kv.get('a', 'b')))).length;
}
