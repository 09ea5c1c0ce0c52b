// AbortController and AbortSignal: https://dom.spec.whatwg.org/#aborting-ongoing-activities
(function (use) {
  "use strict";

  const { EventTarget, Event, handler } = use("event");
  const exception = (message, name) => new (use("exception").DOMException)(message, name);
  const key = Symbol("key");
  let abort;

  class AbortSignal extends EventTarget {
    #aborted = false;
    #reason = undefined;
    #dependents = [];

    constructor(k) {
      if (k !== key) throw new TypeError("AbortSignal cannot be made with new: use AbortController, AbortSignal.timeout or AbortSignal.any");
      super();
    }

    get aborted() { return this.#aborted; }
    get reason() { return this.#reason; }
    throwIfAborted() { if (this.#aborted) throw this.#reason; }

    static #abort(signal, reason) {
      if (signal.#aborted) return;
      signal.#aborted = true;
      signal.#reason = reason === undefined ? exception("This operation was aborted", "AbortError") : reason;
      signal.dispatchEvent(new Event("abort"));
      for (const one of signal.#dependents) AbortSignal.#abort(one, signal.#reason);
      signal.#dependents = [];
    }

    static { abort = AbortSignal.#abort; }

    static abort(reason) {
      const signal = new AbortSignal(key);
      abort(signal, reason);
      return signal;
    }

    static timeout(ms) {
      ms = Number(ms);
      if (!(ms >= 0 && ms <= Number.MAX_SAFE_INTEGER)) throw new TypeError("AbortSignal.timeout takes a number of milliseconds");
      const signal = new AbortSignal(key);
      setTimeout(() => abort(signal, exception("The operation timed out", "TimeoutError")), ms);
      return signal;
    }

    static any(signals) {
      const made = new AbortSignal(key);
      const all = [...signals];
      if (!all.every((one) => one instanceof AbortSignal)) throw new TypeError("AbortSignal.any takes AbortSignals");
      const first = all.find((one) => one.#aborted);
      if (first) abort(made, first.#reason);
      else for (const one of all) one.#dependents.push(made);
      return made;
    }
  }
  handler(AbortSignal, "abort");

  class AbortController {
    #signal = new AbortSignal(key);

    get signal() { return this.#signal; }
    abort(reason) { abort(this.#signal, reason); }
  }

  return { AbortController, AbortSignal };
})
