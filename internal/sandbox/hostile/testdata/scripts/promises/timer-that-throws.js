// expect: Error
export default async function (event, ctx) {
  await new Promise((r) => setTimeout(() => { throw new Error('late'); }, 1));
}
