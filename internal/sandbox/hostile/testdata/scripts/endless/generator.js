// expect: CPULimitExceeded
export default async function (event, ctx) {
  function* g() { for (;;) yield 1; } for (const x of g()) if (x === 2) return 1;
}
