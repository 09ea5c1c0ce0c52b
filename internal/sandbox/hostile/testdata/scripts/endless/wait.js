// expect: WallLimitExceeded
export default async function (event, ctx) {
  await new Promise((r) => setTimeout(r, 60000));
}
