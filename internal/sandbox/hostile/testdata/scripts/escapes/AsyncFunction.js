// expect: ok TypeError EvalError SyntaxError
export default async function (event, ctx) {
  return await Object.getPrototypeOf(async () => {}).constructor('return typeof process')();
}
