// expect: ok PayloadInvalid
export default async function (event, ctx) {
  String.prototype.toJSON = Object.prototype.toJSON = Number.prototype.toJSON = function () { return 'poisoned'; }; return { a: [1, 'x'] };
}
