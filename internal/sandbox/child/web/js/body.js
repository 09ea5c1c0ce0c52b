// What Request and Response share: https://fetch.spec.whatwg.org/#body-mixin. A body is a string or an ArrayBuffer, there from the start.
(function (use) {
  "use strict";

  // is reports whether a value is of a class that the script has made use of; one that it has not has no instances.
  function is(value, module, name) { return use.loaded(module) && value instanceof use(module)[name]; }

  // extract gives the content of a body and its content type, null for none.
  function extract(body) {
    if (body === undefined || body === null) return [null, null];
    if (typeof body === "object") {
      if (body instanceof ArrayBuffer) return [body.slice(0), null];
      if (ArrayBuffer.isView(body)) return [body.buffer.slice(body.byteOffset, body.byteOffset + body.byteLength), null];
      if (is(body, "blob", "Blob")) return [use("blob").bytesOf(body), body.type || null];
      if (is(body, "formdata", "FormData")) return use("formdata").encode(body);
      if (is(body, "params", "URLSearchParams")) return [body.toString(), "application/x-www-form-urlencoded;charset=UTF-8"];
      if (typeof body[Symbol.asyncIterator] === "function") throw new TypeError("a body cannot be a stream: gather it first");
    }
    return [String(body), "text/plain;charset=UTF-8"];
  }

  const parts = Symbol("parts");

  class Body {
    #content;
    #headers;
    #used = false;

    constructor(content, headers) {
      this.#content = content;
      this.#headers = headers;
    }

    get headers() { return this.#headers; }
    get bodyUsed() { return this.#used; }
    get body() {
      if (this.#content === null) return null;
      throw new TypeError("there are no streams: read a body with text(), json(), arrayBuffer(), bytes(), blob() or formData()");
    }

    #take() {
      if (this.#used) throw new TypeError("the body has been read already: keep what was read, or clone() before");
      this.#used = this.#content !== null;
      return this.#content ?? "";
    }

    #takeBytes() {
      const content = this.#take();
      return typeof content === "string" ? new (use("encoding").TextEncoder)().encode(content).buffer : content.slice(0);
    }

    #takeText() {
      const content = this.#take();
      return typeof content === "string" ? content : new (use("encoding").TextDecoder)().decode(content);
    }

    async text() { return this.#takeText(); }
    async json() { return JSON.parse(this.#takeText()); }
    async arrayBuffer() { return this.#takeBytes(); }
    async bytes() { return new Uint8Array(this.#takeBytes()); }
    async blob() { return new (use("blob").Blob)([this.#takeBytes()], { type: this.#headers.get("content-type") ?? "" }); }
    async formData() { return use("formdata").decode(this.#takeBytes(), this.#headers.get("content-type") ?? ""); }

    // parts gives the content without reading it; it may not have been read.
    static [parts](of) {
      if (of.#used) throw new TypeError("the body has been read already: keep what was read, or clone() before");
      return of.#content;
    }
  }

  const content = Body[parts];
  delete Body[parts];
  return { Body, extract, content };
})
