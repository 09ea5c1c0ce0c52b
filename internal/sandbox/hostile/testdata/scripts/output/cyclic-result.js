// expect: PayloadInvalid
export default async function (event, ctx) {
  const o = {}; o.o = o; return o;
}
