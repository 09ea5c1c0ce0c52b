// expect: ok
export default async function (event, ctx) {
  setTimeout(() => { for (let i = 0; i < 10; i++) ctx.kv.get('a', 'b'); }, 0); ctx.kv.get('a', 'b'); return 1;
}
