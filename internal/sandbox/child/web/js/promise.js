// Promise.withResolvers and Promise.try.
(function () {
  "use strict";

  const methods = {
    withResolvers() {
      let resolve, reject;
      const promise = new this((yes, no) => {
        resolve = yes;
        reject = no;
      });
      return { promise, resolve, reject };
    },
    try(f, ...args) { return new this((resolve) => resolve(f(...args))); },
  };
  for (const name of Object.keys(methods)) {
    if (!Promise[name]) Object.defineProperty(Promise, name, { value: methods[name], writable: true, configurable: true, enumerable: false });
  }
  return {};
})
