// expect: TypeError
export default async function (event, ctx) {
  let r; const p = new Promise((x) => { r = x; }); r(p); await p;
}
