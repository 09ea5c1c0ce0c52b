// expect: ok
export default async function (event, ctx) {
  const o = {}; o.o = o; console.log(o, [o], new Map([[o, o]])); return 1;
}
