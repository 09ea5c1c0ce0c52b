// expect: ok TypeError EvalError ReferenceError
export default async function (event, ctx) {
  return typeof (() => {}).constructor('return typeof process + typeof require + typeof globalThis.os')();
}
