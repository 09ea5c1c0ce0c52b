// expect: ok
export default async function (event, ctx) {
  console.log({ get a() { throw new Error('no'); } }); console.log(new Proxy({}, { ownKeys() { throw null; } })); return 1;
}
