// expect: PayloadLimitExceeded
export default async function (event, ctx) {
  const h = new Headers(); for (let i = 0; i < 1000; i++) h.append('x-' + i, 'y'); return new Response('x', { headers: h });
}
