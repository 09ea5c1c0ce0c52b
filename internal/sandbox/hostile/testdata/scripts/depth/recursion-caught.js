// expect: CallDepthLimitExceeded
export default async function (event, ctx) {
  const f = () => { try { f(); } catch { f(); } finally { f(); } }; f();
}
