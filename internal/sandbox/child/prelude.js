// What a script finds beside the language itself. Evaluated in every fresh runtime before the script: keep it small. Gives what Go needs of it.
(function (host) {
  "use strict";

  function hidden(object, name, value) {
    Object.defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });
  }

  class NonRetryableError extends Error {}
  hidden(NonRetryableError.prototype, "name", "NonRetryableError");

  class RetryAfterError extends Error {
    constructor(message, after, options) {
      const ms = host.duration(after);
      super(message, options);
      hidden(this, "retryAfter", ms);
    }
  }
  hidden(RetryAfterError.prototype, "name", "RetryAfterError");

  // Headers and Response cost more than all the rest: they are made when they are first named.
  function makeWeb() {
    const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
    const unsafe = /[\0\r\n]/;

    function headerName(name) {
      name = String(name);
      if (!token.test(name)) throw new TypeError("invalid header name " + JSON.stringify(name));
      return name.toLowerCase();
    }

    function headerValue(value) {
      value = String(value).trim();
      if (unsafe.test(value)) throw new TypeError("invalid header value " + JSON.stringify(value));
      return value;
    }

    class Headers {
      #list = [];

      constructor(init) {
        if (init === undefined || init === null) return;
        if (typeof init !== "object") throw new TypeError("Headers takes an object, an array of pairs or Headers");
        if (#list in init) {
          this.#list = init.#list.map((pair) => [pair[0], pair[1]]);
        } else if (typeof init[Symbol.iterator] === "function") {
          for (const pair of init) {
            if (typeof pair !== "object" || pair === null || pair.length !== 2) throw new TypeError("a header is a pair of name and value");
            this.append(pair[0], pair[1]);
          }
        } else {
          for (const name of Object.keys(init)) this.append(name, init[name]);
        }
      }

      append(name, value) { this.#list.push([headerName(name), headerValue(value)]); }
      set(name, value) {
        this.delete(name);
        this.append(name, value);
      }
      delete(name) {
        name = headerName(name);
        this.#list = this.#list.filter((pair) => pair[0] !== name);
      }
      has(name) {
        name = headerName(name);
        return this.#list.some((pair) => pair[0] === name);
      }
      get(name) {
        name = headerName(name);
        const values = this.#list.filter((pair) => pair[0] === name).map((pair) => pair[1]);
        return values.length ? values.join(", ") : null;
      }
      getSetCookie() { return this.#list.filter((pair) => pair[0] === "set-cookie").map((pair) => pair[1]); }

      *entries() {
        const names = [...new Set(this.#list.map((pair) => pair[0]))].sort();
        for (const name of names) {
          if (name === "set-cookie") for (const value of this.getSetCookie()) yield [name, value];
          else yield [name, this.get(name)];
        }
      }
      *keys() { for (const pair of this.entries()) yield pair[0]; }
      *values() { for (const pair of this.entries()) yield pair[1]; }
      [Symbol.iterator]() { return this.entries(); }
      forEach(f, self) { for (const pair of this.entries()) f.call(self, pair[1], pair[0], this); }

      static unwrap(headers) { return headers.#list; }
    }
    const headerList = Headers.unwrap;
    delete Headers.unwrap;

    function bodyOf(body) {
      if (body === undefined || body === null) return null;
      if (body instanceof ArrayBuffer) return body.slice(0);
      if (ArrayBuffer.isView(body)) return body.buffer.slice(body.byteOffset, body.byteOffset + body.byteLength);
      return String(body);
    }

    class Response {
      #status;
      #statusText;
      #headers;
      #body;

      constructor(body, init) {
        init = init ?? {};
        const status = init.status === undefined ? 200 : Number(init.status);
        if (!Number.isInteger(status) || status < 200 || status > 599) throw new RangeError("status must be 200 to 599, is " + String(init.status));
        this.#status = status;
        this.#statusText = init.statusText === undefined ? "" : String(init.statusText);
        this.#headers = new Headers(init.headers);
        this.#body = bodyOf(body);
        if (this.#body !== null) {
          if (status === 204 || status === 205 || status === 304) throw new TypeError("a response of status " + status + " has no body");
          if (typeof this.#body === "string" && !this.#headers.has("content-type")) this.#headers.set("content-type", "text/plain;charset=UTF-8");
        }
      }

      get status() { return this.#status; }
      get statusText() { return this.#statusText; }
      get ok() { return this.#status < 300; }
      get headers() { return this.#headers; }

      static json(data, init) {
        const text = JSON.stringify(data);
        if (text === undefined) throw new TypeError("the value is no JSON value");
        const headers = new Headers(init?.headers);
        if (!headers.has("content-type")) headers.set("content-type", "application/json");
        return new Response(text, { status: init?.status, statusText: init?.statusText, headers });
      }

      static redirect(url, status = 302) {
        if (![301, 302, 303, 307, 308].includes(status)) throw new RangeError("status must be 301, 302, 303, 307 or 308, is " + String(status));
        return new Response(null, { status, headers: { location: String(url) } });
      }

      static unwrap(value) {
        if (typeof value !== "object" || value === null || !(#body in value)) return null;
        return [value.#status, headerList(value.#headers), value.#body];
      }
    }
    const unwrap = Response.unwrap;
    delete Response.unwrap;

    return { Headers, Response, unwrap };
  }

  let web = null;
  for (const name of ["Headers", "Response"]) {
    Object.defineProperty(globalThis, name, {
      get: () => (web ??= makeWeb())[name],
      set: (value) => hidden(globalThis, name, value),
      configurable: true, enumerable: false,
    });
  }

  hidden(globalThis, "NonRetryableError", NonRetryableError);
  hidden(globalThis, "RetryAfterError", RetryAfterError);

  for (const name of ["dispose", "asyncDispose"]) {
    if (!Symbol[name]) Object.defineProperty(Symbol, name, { value: Symbol.for("Symbol." + name) });
  }

  const { parse, stringify } = JSON;
  return {
    NonRetryableError, RetryAfterError, parse, stringify,
    unwrap: (value) => (web === null ? null : web.unwrap(value)),
    // complete adds to ctx what is not there yet, so that its use says so.
    complete(ctx) {
      for (const name of ["queues", "topics", "email", "fetch", "secrets"]) {
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
