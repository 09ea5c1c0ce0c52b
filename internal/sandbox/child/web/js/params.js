// URLSearchParams: https://url.spec.whatwg.org/#interface-urlsearchparams
(function (use, host) {
  "use strict";

  const changed = Symbol("changed");

  class URLSearchParams {
    #list = [];
    #changed = null; // called with the new query when the parameters of a URL change

    constructor(init = "") {
      if (typeof init === "function" || (typeof init === "object" && init !== null)) {
        if (typeof init[Symbol.iterator] === "function") {
          for (const pair of init) {
            const [name, value, ...more] = typeof pair === "object" && pair !== null ? pair : [];
            if (value === undefined || more.length > 0) throw new TypeError("a parameter is a pair of name and value");
            this.#list.push([wellFormed(name), wellFormed(value)]);
          }
        } else {
          for (const name of Object.keys(init)) this.#list.push([wellFormed(name), wellFormed(init[name])]);
        }
        return;
      }
      init = String(init);
      this.#list = host.parse(init[0] === "?" ? init.slice(1) : init);
    }

    get size() { return this.#list.length; }

    append(name, value) {
      this.#list.push([wellFormed(name), wellFormed(value)]);
      this.#change();
    }
    delete(name, value) {
      name = String(name);
      this.#list = this.#list.filter((pair) => pair[0] !== name || (value !== undefined && pair[1] !== String(value)));
      this.#change();
    }
    get(name) { return this.#list.find((pair) => pair[0] === String(name))?.[1] ?? null; }
    getAll(name) { return this.#list.filter((pair) => pair[0] === String(name)).map((pair) => pair[1]); }
    has(name, value) { return this.#list.some((pair) => pair[0] === String(name) && (value === undefined || pair[1] === String(value))); }
    set(name, value) {
      name = wellFormed(name);
      value = wellFormed(value);
      const at = this.#list.findIndex((pair) => pair[0] === name);
      if (at < 0) this.#list.push([name, value]);
      else {
        this.#list[at] = [name, value];
        this.#list = this.#list.filter((pair, i) => i <= at || pair[0] !== name);
      }
      this.#change();
    }
    sort() {
      this.#list.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
      this.#change();
    }

    toString() { return host.format(this.#list); }
    forEach(f, self) { for (const [name, value] of this.#list) f.call(self, value, name, this); }
    *entries() { for (let i = 0; i < this.#list.length; i++) yield [this.#list[i][0], this.#list[i][1]]; }
    *keys() { for (const pair of this.entries()) yield pair[0]; }
    *values() { for (const pair of this.entries()) yield pair[1]; }
    [Symbol.iterator]() { return this.entries(); }
    get [Symbol.toStringTag]() { return "URLSearchParams"; }

    // of binds parameters to a URL: reload reads a new query, report is told of every change.
    static [changed](report) {
      const made = new URLSearchParams();
      made.#changed = report;
      return { params: made, reload: (query) => { made.#list = host.parse(query); } };
    }

    #change() { this.#changed?.(this.toString()); }
  }

  function wellFormed(value) { return host.wellFormed(String(value)); }

  const bind = URLSearchParams[changed];
  delete URLSearchParams[changed];
  return { URLSearchParams, bind };
})
