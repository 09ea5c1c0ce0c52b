// expect: Error
export default async function (event, ctx) {
  const e = new Error('a'); e.cause = e; throw e;
}
