// expect: CPULimitExceeded ok
export default async function (event, ctx) {
  console.log({ get a() { for (;;) {} } }); return 1;
}
