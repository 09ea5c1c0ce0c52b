// expect: CallDepthLimitExceeded
export default async function (event, ctx) {
  const a = () => b(), b = () => a(); return a();
}
