// expect: ok TypeError
export default async function (event, ctx) {
  function f() { return f.caller || arguments.callee; } return typeof f();
}
