// expect: PayloadInvalid
export default async function (event, ctx) {
  return { toJSON() { throw new Error('no'); } };
}
