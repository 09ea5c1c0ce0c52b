// expect: TypeError
export default async function (event, ctx) {
  return new Response('x', { headers: { x: 'a\r\nset-cookie: b' } });
}
