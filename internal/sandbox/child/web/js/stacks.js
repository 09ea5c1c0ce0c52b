// Error.captureStackTrace, as far as a stack is a text: the frames above the given function cannot be left out.
(function () {
  "use strict";

  if (!Error.captureStackTrace) {
    Object.defineProperty(Error, "captureStackTrace", {
      value(object) {
        const head = object instanceof Error ? Error.prototype.toString.call(object) : "Error";
        const frames = new Error().stack.split("\n").slice(2).join("\n");
        Object.defineProperty(object, "stack", { value: head + "\n" + frames, writable: true, configurable: true, enumerable: false });
      },
      writable: true, configurable: true, enumerable: false,
    });
  }
  return {};
})
