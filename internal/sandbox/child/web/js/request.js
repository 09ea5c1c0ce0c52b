// Request: https://fetch.spec.whatwg.org/#request-class, as far as it makes sense on a server: no modes, credentials, caches or referrers.
(function (use) {
  "use strict";

  const { Headers, list } = use("headers");
  const { Body, extract, content } = use("body");
  const { URL } = use("url");

  const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
  const usual = ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"];
  const kept = Symbol("kept");

  function methodOf(method) {
    method = String(method);
    if (!token.test(method)) throw new TypeError("invalid method " + JSON.stringify(method));
    const upper = method.toUpperCase();
    if (["CONNECT", "TRACE", "TRACK"].includes(upper)) throw new TypeError("the method " + upper + " is not allowed");
    return usual.includes(upper) ? upper : method;
  }

  class Request extends Body {
    #method; #url; #redirect; #signal;

    constructor(input, init = {}) {
      init ??= {};
      const from = input instanceof Request ? input : null;
      const method = init.method !== undefined ? methodOf(init.method) : from ? from.#method : "GET";
      const url = from ? from.#url : new URL(String(input)).href;
      const headers = new Headers(init.headers ?? from?.headers);
      let body = null;
      if (init.body !== undefined && init.body !== null) {
        if (method === "GET" || method === "HEAD") throw new TypeError("a " + method + " request has no body");
        const [made, type] = extract(init.body);
        body = made;
        if (type !== null && !headers.has("content-type")) headers.set("content-type", type);
      } else if (from) {
        body = content(from);
      }
      super(body, headers);
      this.#method = method;
      this.#url = url;
      this.#redirect = init.redirect === undefined ? from?.#redirect ?? "follow" : String(init.redirect);
      if (!["follow", "error", "manual"].includes(this.#redirect)) throw new TypeError('redirect is "follow", "error" or "manual"');
      this.#signal = init.signal === undefined ? from?.#signal ?? null : init.signal;
    }

    get method() { return this.#method; }
    get url() { return this.#url; }
    get redirect() { return this.#redirect; }
    get signal() { return (this.#signal ??= new (use("abort").AbortController)().signal); }
    clone() {
      content(this);
      return new Request(this);
    }
    get [Symbol.toStringTag]() { return "Request"; }

    static [kept](request) { return [request.#method, request.#url, list(request.headers), content(request), request.#redirect, request.#signal]; }
  }

  // parts gives [method, url, header pairs, content, redirect, signal or null].
  const parts = Request[kept];
  delete Request[kept];
  return { Request, parts };
})
