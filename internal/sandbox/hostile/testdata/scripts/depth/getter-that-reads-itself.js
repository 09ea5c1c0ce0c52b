// expect: CallDepthLimitExceeded
export default async function (event, ctx) {
  const o = { get a() { return this.a; } }; return o.a;
}
