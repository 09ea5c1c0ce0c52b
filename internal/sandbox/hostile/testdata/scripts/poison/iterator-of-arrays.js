// expect: ok Error TypeError CPULimitExceeded MemoryLimitExceeded
export default async function (event, ctx) {
  Array.prototype[Symbol.iterator] = function* () { for (;;) yield 1; }; return new Response('x', { headers: { a: 'b' } });
}
