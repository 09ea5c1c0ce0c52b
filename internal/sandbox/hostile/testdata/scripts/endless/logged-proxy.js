// expect: CPULimitExceeded ok
export default async function (event, ctx) {
  console.log(new Proxy({}, { ownKeys() { for (;;) {} }, get() { for (;;) {} } })); return 1;
}
