// expect: ok TypeError EvalError ReferenceError
export default async function (event, ctx) {
  return ctx.kv.get.constructor('return typeof process + typeof require')();
}
