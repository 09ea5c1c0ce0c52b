// WeakRef and FinalizationRegistry as the standard allows them where nothing is collected while it is watched: a run is short.
(function () {
  "use strict";

  function check(value) {
    if ((typeof value !== "object" || value === null) && typeof value !== "function" && typeof value !== "symbol") throw new TypeError("the target must be an object");
  }

  class WeakRef {
    #target;

    constructor(target) {
      check(target);
      this.#target = target;
    }

    deref() { return this.#target; }
    get [Symbol.toStringTag]() { return "WeakRef"; }
  }

  class FinalizationRegistry {
    constructor(cleanup) { if (typeof cleanup !== "function") throw new TypeError("FinalizationRegistry takes a function"); }
    register(target) { check(target); }
    unregister() { return false; }
    get [Symbol.toStringTag]() { return "FinalizationRegistry"; }
  }

  return { WeakRef, FinalizationRegistry };
})
