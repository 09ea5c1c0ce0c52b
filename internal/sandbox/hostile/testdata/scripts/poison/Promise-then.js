// expect: ok Error TypeError
export default async function (event, ctx) {
  Promise.prototype.then = () => { throw new Error('poisoned'); }; return 1;
}
