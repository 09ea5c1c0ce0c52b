// URL: https://url.spec.whatwg.org/#api. Parsing is Go's part.
(function (use, host) {
  "use strict";

  class URL {
    #url; // the functions get and set of Go's URL
    #params = null;

    constructor(url, base) {
      if (arguments.length === 0) throw new TypeError("URL takes a string");
      this.#url = host.parse(String(url), base === undefined ? undefined : String(base));
      if (this.#url === null) throw new TypeError("Invalid URL: " + JSON.stringify(String(url)) + (base === undefined ? "" : " with base " + JSON.stringify(String(base))));
    }

    static canParse(url, base) { return host.parse(String(url), base === undefined ? undefined : String(base)) !== null; }
    static parse(url, base) { return URL.canParse(url, base) ? new URL(url, base) : null; }

    #set(part, value) {
      this.#url.set(part, String(value));
      if (part === "search" || part === "href") this.#params?.reload(this.#url.get("search").slice(1));
    }

    get href() { return this.#url.get("href"); }
    set href(value) {
      const parsed = host.parse(String(value));
      if (parsed === null) throw new TypeError("Invalid URL: " + JSON.stringify(String(value)));
      this.#url = parsed;
      this.#params?.reload(parsed.get("search").slice(1));
    }
    get origin() { return this.#url.get("origin"); }
    get protocol() { return this.#url.get("protocol"); }
    set protocol(value) { this.#set("protocol", value); }
    get username() { return this.#url.get("username"); }
    set username(value) { this.#set("username", value); }
    get password() { return this.#url.get("password"); }
    set password(value) { this.#set("password", value); }
    get host() { return this.#url.get("host"); }
    set host(value) { this.#set("host", value); }
    get hostname() { return this.#url.get("hostname"); }
    set hostname(value) { this.#set("hostname", value); }
    get port() { return this.#url.get("port"); }
    set port(value) { this.#set("port", value); }
    get pathname() { return this.#url.get("pathname"); }
    set pathname(value) { this.#set("pathname", value); }
    get search() { return this.#url.get("search"); }
    set search(value) { this.#set("search", value); }
    get hash() { return this.#url.get("hash"); }
    set hash(value) { this.#set("hash", value); }

    get searchParams() {
      if (this.#params === null) {
        this.#params = use("params").bind((query) => this.#url.set("search", query));
        this.#params.reload(this.#url.get("search").slice(1));
      }
      return this.#params.params;
    }

    toString() { return this.href; }
    toJSON() { return this.href; }
    get [Symbol.toStringTag]() { return "URL"; }
  }

  return { URL };
})
