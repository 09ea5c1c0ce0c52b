// expect: ok Error TypeError
export default async function (event, ctx) {
  Promise.prototype.then = function () { return this; }; await null; return 1;
}
