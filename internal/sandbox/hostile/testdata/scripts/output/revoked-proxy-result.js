// expect: PayloadInvalid TypeError
export default async function (event, ctx) {
  const r = Proxy.revocable({}, {}); r.revoke(); return r.proxy;
}
