// expect: ok TypeError EvalError SyntaxError
export default async function (event, ctx) {
  return Object.getPrototypeOf(function* () {}).constructor('yield typeof process')().next().value;
}
