// Headers: https://fetch.spec.whatwg.org/#headers-class
(function () {
  "use strict";

  const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
  const unsafe = /[\0\r\n]/;
  let list;

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

    static { list = (headers) => headers.#list; }

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
    get [Symbol.toStringTag]() { return "Headers"; }
  }

  return { Headers, list };
})
