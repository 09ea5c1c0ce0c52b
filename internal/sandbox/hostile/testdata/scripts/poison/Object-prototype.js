// expect: ok PayloadInvalid TypeError
export default async function (event, ctx) {
  Object.defineProperty(Object.prototype, 'data', { get() { return 'poisoned'; }, set() {} }); Object.prototype.toJSON = undefined; return { a: 1 };
}
