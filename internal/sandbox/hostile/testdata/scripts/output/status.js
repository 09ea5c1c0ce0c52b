// expect: RangeError TypeError
export default async function (event, ctx) {
  return new Response('x', { status: 99 });
}
