// expect: WallLimitExceeded CPULimitExceeded MemoryLimitExceeded
export default async function (event, ctx) {
  const f = () => { setTimeout(f, 0); setTimeout(f, 0); }; f(); await new Promise((r) => setTimeout(r, 60000));
}
