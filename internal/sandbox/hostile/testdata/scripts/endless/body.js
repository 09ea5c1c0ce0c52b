// expect: CPULimitExceeded
export default async function (event, ctx) {
  while (true) {}
}
