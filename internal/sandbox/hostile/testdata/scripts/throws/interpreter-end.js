// expect: ReferenceError TypeError
export default async function (event, ctx) {
  process.exit(1);
}
