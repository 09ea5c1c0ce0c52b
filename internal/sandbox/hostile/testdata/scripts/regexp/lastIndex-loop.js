// expect: CPULimitExceeded
export default async function (event, ctx) {
  const r = /a*/g; for (;;) r.exec('b');
}
