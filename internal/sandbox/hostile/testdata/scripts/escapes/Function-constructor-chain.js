// expect: ok TypeError EvalError ReferenceError
export default async function (event, ctx) {
  return ''.constructor.constructor('return this')().constructor.constructor('return typeof process')();
}
