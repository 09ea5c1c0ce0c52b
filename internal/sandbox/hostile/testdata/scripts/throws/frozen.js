// expect: Error
export default async function (event, ctx) {
  throw Object.freeze(new Error('frozen'));
}
