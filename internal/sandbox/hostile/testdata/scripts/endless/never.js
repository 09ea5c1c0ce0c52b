// expect: Error
export default async function (event, ctx) {
  await new Promise(() => {});
}
