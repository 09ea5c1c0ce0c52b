// expect: CPULimitExceeded
export default async function (event, ctx) {
  for (;;) console.log('again');
}
