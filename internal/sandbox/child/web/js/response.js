// Response: https://fetch.spec.whatwg.org/#response-class
(function (use) {
  "use strict";

  const { Headers, list } = use("headers");
  const { Body, extract, content } = use("body");

  const made = Symbol("made");
  const kept = Symbol("kept");

  class Response extends Body {
    #status; #statusText;
    #url = "";
    #redirected = false;
    #type = "default";

    constructor(body, init) {
      init = init ?? {};
      if (init[made]) {
        super(body, init.headers);
        this.#status = init.status;
        this.#statusText = init.statusText;
        this.#url = init.url;
        this.#redirected = init.redirected;
        this.#type = init.type;
        return;
      }
      const status = init.status === undefined ? 200 : Number(init.status);
      if (!Number.isInteger(status) || status < 200 || status > 599) throw new RangeError("status must be 200 to 599, is " + String(init.status));
      const headers = new Headers(init.headers);
      const [extracted, type] = extract(body);
      if (extracted !== null && (status === 204 || status === 205 || status === 304)) throw new TypeError("a response of status " + status + " has no body");
      if (type !== null && !headers.has("content-type")) headers.set("content-type", type);
      super(extracted, headers);
      this.#status = status;
      this.#statusText = init.statusText === undefined ? "" : String(init.statusText);
    }

    get status() { return this.#status; }
    get statusText() { return this.#statusText; }
    get ok() { return this.#status >= 200 && this.#status < 300; }
    get url() { return this.#url; }
    get redirected() { return this.#redirected; }
    get type() { return this.#type; }
    get [Symbol.toStringTag]() { return "Response"; }

    clone() {
      return new Response(content(this), {
        [made]: true, headers: new Headers(this.headers), status: this.#status, statusText: this.#statusText, url: this.#url, redirected: this.#redirected, type: this.#type,
      });
    }

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

    static error() { return new Response(null, { [made]: true, headers: new Headers(), status: 0, statusText: "", url: "", redirected: false, type: "error" }); }

    static [kept](value) {
      if (typeof value !== "object" || value === null || !(#status in value)) return null;
      if (value.#status < 200) throw new TypeError("Response.error() cannot be an answer");
      return [value.#status, list(value.headers), content(value)];
    }
  }

  // unwrap gives [status, header pairs, content] of a Response, null of anything else.
  const unwrap = Response[kept];
  delete Response[kept];

  // wrap makes a Response of what came from the network.
  function wrap(status, statusText, pairs, body, url, redirected) {
    return new Response(body, { [made]: true, headers: new Headers(pairs), status, statusText, url, redirected, type: "basic" });
  }

  return { Response, unwrap, wrap };
})
