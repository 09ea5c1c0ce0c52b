// Evaluated in every fresh runtime before the script: keep it small; what a script may never name is made lazily in web. Gives what Go needs of it.
(function () {
  "use strict";

  return {
    // complete adds to ctx what is not there yet, so that its use says so.
    complete(ctx) {
      for (const name of ["fetch", "secrets"]) {
        if (name in ctx) continue;
        Object.defineProperty(ctx, name, {
          get() { throw new Error("ctx." + name + " is not available in this version of PiCloud"); },
          configurable: true, enumerable: false,
        });
      }
      return ctx;
    },
    invoke: async (script, event, ctx) => script(event, ctx),
  };
})
