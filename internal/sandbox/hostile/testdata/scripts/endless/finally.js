// expect: CPULimitExceeded
export default async function (event, ctx) {
  for (;;) { try { for (;;) {} } finally { continue; } }
}
