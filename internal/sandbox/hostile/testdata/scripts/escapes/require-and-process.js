// expect: ok
export default async function (event, ctx) {
  return [typeof require, typeof process, typeof module, typeof Deno, typeof Bun, typeof importScripts, typeof WebAssembly].every((x) => x === 'undefined');
}
