// expect: ok TypeError EvalError ReferenceError
export default async function (event, ctx) {
  return (0, eval)('typeof process');
}
