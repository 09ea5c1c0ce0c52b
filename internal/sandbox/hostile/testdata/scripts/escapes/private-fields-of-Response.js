// expect: ok TypeError
export default async function (event, ctx) {
  const get = Object.getOwnPropertyDescriptor(Response.prototype, 'status').get; return get.call({});
}
