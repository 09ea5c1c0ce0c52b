// expect: ok Error TypeError ReferenceError
export default async function (event, ctx) {
  for (const k of Object.getOwnPropertyNames(globalThis)) try { delete globalThis[k]; } catch {} return 1;
}
