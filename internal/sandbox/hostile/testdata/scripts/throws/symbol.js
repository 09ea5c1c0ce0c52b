// expect: Error TypeError
export default async function (event, ctx) {
  throw Symbol('x');
}
