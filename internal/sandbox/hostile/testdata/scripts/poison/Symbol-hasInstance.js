// expect: ok Error TypeError RetryAfterError
export default async function (event, ctx) {
  Object.defineProperty(RetryAfterError, Symbol.hasInstance, { value: () => true }); throw new TypeError('x');
}
