// expect: Error
export default async function (event, ctx) {
  throw Object.create(null);
}
