// The well-known symbols that goja lacks, by the names under which the compiler's helpers look for them.
(function () {
  "use strict";

  for (const name of ["asyncIterator", "dispose", "asyncDispose"]) {
    if (!Symbol[name]) Object.defineProperty(Symbol, name, { value: Symbol.for("Symbol." + name) });
  }
  return {};
})
