// expect: Error
export default async function (event, ctx) {
  throw 10n ** 1000n;
}
