// expect: TypeError
export default async function (event, ctx) {
  return new Response('x', { headers: { 'a b': 'c' } });
}
