// expect: PayloadLimitExceeded
export default async function (event, ctx) {
  return new Response('x', { headers: { x: 'y'.repeat(60000) } });
}
