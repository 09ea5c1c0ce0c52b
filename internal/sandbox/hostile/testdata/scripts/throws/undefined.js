// expect: Error
export default async function (event, ctx) {
  throw undefined;
}
