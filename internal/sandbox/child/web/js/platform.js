// performance, navigator, self and reportError.
(function (use, host) {
  "use strict";

  const performance = {
    now() { return host.now(); },
    get timeOrigin() { return host.timeOrigin; },
    toJSON() { return { timeOrigin: host.timeOrigin }; },
    [Symbol.toStringTag]: "Performance",
  };

  const navigator = Object.freeze({ userAgent: "PiCloud", language: "en", languages: Object.freeze(["en"]), hardwareConcurrency: 1, [Symbol.toStringTag]: "Navigator" });

  function reportError(error) { console.error(error); }

  return { performance, navigator, self: globalThis, reportError };
})
