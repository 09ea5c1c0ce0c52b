// DisposableStack, AsyncDisposableStack and SuppressedError: https://tc39.es/proposal-explicit-resource-management/
(function (use) {
  "use strict";

  use("symbols");

  class SuppressedError extends Error {
    constructor(error, suppressed, message) {
      super(message === undefined ? "An error was suppressed during disposal" : message);
      Object.defineProperty(this, "error", { value: error, writable: true, configurable: true, enumerable: false });
      Object.defineProperty(this, "suppressed", { value: suppressed, writable: true, configurable: true, enumerable: false });
    }
  }
  Object.defineProperty(SuppressedError.prototype, "name", { value: "SuppressedError", writable: true, configurable: true, enumerable: false });

  function method(value, async) {
    const f = (async ? value[Symbol.asyncDispose] : undefined) ?? value[Symbol.dispose];
    if (typeof f !== "function") throw new TypeError("the value has no " + (async ? "Symbol.asyncDispose or " : "") + "Symbol.dispose method");
    return f;
  }

  class Stack {
    _items = [];
    _disposed = false;
    static _async = false;

    constructor() { for (const name of ["_items", "_disposed"]) Object.defineProperty(this, name, { enumerable: false }); }

    get disposed() { return this._disposed; }
    _check() { if (this._disposed) throw new ReferenceError("the stack is disposed already"); }
    use(value) {
      this._check();
      if (value !== null && value !== undefined) {
        const f = method(value, this.constructor._async);
        this._items.push(() => f.call(value));
      }
      return value;
    }
    adopt(value, f) {
      this._check();
      if (typeof f !== "function") throw new TypeError("adopt takes a value and a function");
      this._items.push(() => f(value));
      return value;
    }
    defer(f) {
      this._check();
      if (typeof f !== "function") throw new TypeError("defer takes a function");
      this._items.push(() => f());
    }
    move() {
      this._check();
      const made = new this.constructor();
      made._items = this._items;
      this._items = [];
      this._disposed = true;
      return made;
    }
  }

  class DisposableStack extends Stack {
    dispose() {
      if (this._disposed) return;
      this._disposed = true;
      let failed = false, error;
      while (this._items.length > 0) {
        try {
          this._items.pop()();
        } catch (e) {
          error = failed ? new SuppressedError(e, error) : e;
          failed = true;
        }
      }
      if (failed) throw error;
    }
    [Symbol.dispose]() { this.dispose(); }
    get [Symbol.toStringTag]() { return "DisposableStack"; }
  }

  class AsyncDisposableStack extends Stack {
    static _async = true;

    async disposeAsync() {
      if (this._disposed) return;
      this._disposed = true;
      let failed = false, error;
      while (this._items.length > 0) {
        try {
          await this._items.pop()();
        } catch (e) {
          error = failed ? new SuppressedError(e, error) : e;
          failed = true;
        }
      }
      if (failed) throw error;
    }
    [Symbol.asyncDispose]() { return this.disposeAsync(); }
    get [Symbol.toStringTag]() { return "AsyncDisposableStack"; }
  }

  return { DisposableStack, AsyncDisposableStack, SuppressedError };
})
