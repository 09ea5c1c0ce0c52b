// Event, CustomEvent and EventTarget, for a world without a document: an event reaches its one target and does not bubble.
(function (use) {
  "use strict";

  const { performance, reportError } = use("platform");
  const dispatch = Symbol("dispatch");

  class Event {
    #type; #bubbles; #cancelable; #composed;
    #time = performance.now();
    #target = null;
    #running = false;
    #stopped = false;
    #prevented = false;
    #passive = false;

    constructor(type, init) {
      if (arguments.length === 0) throw new TypeError("Event takes a type");
      this.#type = String(type);
      this.#bubbles = Boolean(init?.bubbles);
      this.#cancelable = Boolean(init?.cancelable);
      this.#composed = Boolean(init?.composed);
    }

    get type() { return this.#type; }
    get target() { return this.#target; }
    get currentTarget() { return this.#running ? this.#target : null; }
    get eventPhase() { return this.#running ? 2 : 0; }
    get bubbles() { return this.#bubbles; }
    get cancelable() { return this.#cancelable; }
    get composed() { return this.#composed; }
    get defaultPrevented() { return this.#prevented; }
    get timeStamp() { return this.#time; }
    get isTrusted() { return false; }
    preventDefault() { if (this.#cancelable && !this.#passive) this.#prevented = true; }
    stopPropagation() {}
    stopImmediatePropagation() { this.#stopped = true; }
    composedPath() { return this.#running ? [this.#target] : []; }

    [dispatch](target, listeners) {
      if (this.#running) throw new (use("exception").DOMException)("the event is being dispatched already", "InvalidStateError");
      this.#target = target;
      this.#running = true;
      this.#stopped = false;
      try {
        for (const one of listeners.slice()) {
          if (this.#stopped) break;
          if (one.removed) continue;
          if (one.once) one.remove();
          this.#passive = one.passive;
          try {
            if (typeof one.callback === "function") one.callback.call(target, this);
            else one.callback.handleEvent(this);
          } catch (error) {
            reportError(error);
          }
        }
      } finally {
        this.#running = false;
        this.#passive = false;
      }
      return !this.#prevented;
    }
  }

  class CustomEvent extends Event {
    #detail;

    constructor(type, init) {
      super(type, init);
      this.#detail = init?.detail ?? null;
    }

    get detail() { return this.#detail; }
  }

  class EventTarget {
    #listeners = new Map();

    addEventListener(type, callback, options) {
      if (callback === null || callback === undefined) return;
      if (typeof callback !== "function" && typeof callback !== "object") throw new TypeError("a listener is a function or an object with handleEvent");
      const { capture, once, passive, signal } = typeof options === "object" && options !== null ? options : { capture: options };
      if (signal?.aborted) return;
      type = String(type);
      const list = this.#listeners.get(type) ?? [];
      this.#listeners.set(type, list);
      if (list.some((one) => one.callback === callback && one.capture === Boolean(capture))) return;
      const one = { callback, capture: Boolean(capture), once: Boolean(once), passive: Boolean(passive), removed: false };
      one.remove = () => {
        one.removed = true;
        const at = list.indexOf(one);
        if (at >= 0) list.splice(at, 1);
      };
      list.push(one);
      signal?.addEventListener("abort", one.remove, { once: true });
    }

    removeEventListener(type, callback, options) {
      const capture = Boolean(typeof options === "object" && options !== null ? options.capture : options);
      this.#listeners.get(String(type))?.find((one) => one.callback === callback && one.capture === capture)?.remove();
    }

    dispatchEvent(event) {
      if (!(event instanceof Event)) throw new TypeError("dispatchEvent takes an Event");
      return event[dispatch](this, this.#listeners.get(event.type) ?? []);
    }
  }

  // handler defines an on… property of a class of targets.
  function handler(of, type) {
    const set = new WeakMap();
    Object.defineProperty(of.prototype, "on" + type, {
      get() { return set.get(this)?.callback ?? null; },
      set(callback) {
        const before = set.get(this);
        if (before) this.removeEventListener(type, before.listener);
        set.delete(this);
        if (typeof callback !== "function") return;
        const one = { callback, listener: (event) => callback.call(this, event) };
        set.set(this, one);
        this.addEventListener(type, one.listener);
      },
      configurable: true, enumerable: true,
    });
  }

  return { Event, CustomEvent, EventTarget, handler };
})
