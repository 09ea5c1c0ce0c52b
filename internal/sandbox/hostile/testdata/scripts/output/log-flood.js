// expect: ok
export default async function (event, ctx) {
  for (let i = 0; i < 20000; i++) console.log('line ' + i); return 1;
}
