// expect: ok Error
export default async function (event, ctx) {
  Error.prepareStackTrace = (e, frames) => { for (const f of frames) f.getThis(); }; Error.stackTraceLimit = Infinity; return String(new Error('x').stack).length > 0;
}
