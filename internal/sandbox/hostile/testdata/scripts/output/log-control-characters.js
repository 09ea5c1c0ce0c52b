// expect: ok
export default async function (event, ctx) {
  console.log('\u0000\u001b[31m\r\n\ud800'); return 1;
}
