// expect: CPULimitExceeded
export default async function (event, ctx) {
  RegExp.prototype[Symbol.replace] = () => { for (;;) {} }; return 'a'.replace(/a/, 'b');
}
