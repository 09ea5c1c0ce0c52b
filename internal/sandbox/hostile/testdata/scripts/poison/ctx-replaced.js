// expect: ok Error TypeError
export default async function (event, ctx) {
  for (const k of Object.keys(ctx)) try { ctx[k] = null; } catch {} Object.setPrototypeOf(ctx, null); return 1;
}
