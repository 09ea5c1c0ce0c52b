// expect: Error TypeError
export default async function (event, ctx) {
  const r = Proxy.revocable(new Error('x'), {}); r.revoke(); throw r.proxy;
}
