// expect: ok PayloadInvalid
export default async function (event, ctx) {
  const r = Object.create(Response.prototype); return r;
}
