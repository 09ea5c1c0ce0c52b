// TextEncoder and TextDecoder: https://encoding.spec.whatwg.org/. Of the encodings: UTF-8, UTF-16 and windows-1252 (latin1).
(function (use, host) {
  "use strict";

  class TextEncoder {
    get encoding() { return "utf-8"; }
    encode(text = "") { return new Uint8Array(host.encode(String(text))); }

    encodeInto(text, target) {
      if (!(target instanceof Uint8Array)) throw new TypeError("encodeInto takes a string and a Uint8Array");
      let read = 0, written = 0;
      for (const char of String(text)) {
        const bytes = new Uint8Array(host.encode(char));
        if (written + bytes.length > target.length) break;
        target.set(bytes, written);
        written += bytes.length;
        read += char.length;
      }
      return { read, written };
    }
  }

  class TextDecoder {
    #encoding; #fatal; #ignoreBOM;
    #state = null;

    constructor(label = "utf-8", options) {
      this.#encoding = host.encodingOf(String(label));
      if (this.#encoding === "") throw new RangeError("TextDecoder has no encoding " + JSON.stringify(String(label)) + ": it knows utf-8, utf-16le, utf-16be and windows-1252 (latin1)");
      this.#fatal = Boolean(options?.fatal);
      this.#ignoreBOM = Boolean(options?.ignoreBOM);
    }

    get encoding() { return this.#encoding; }
    get fatal() { return this.#fatal; }
    get ignoreBOM() { return this.#ignoreBOM; }

    decode(bytes, options) {
      this.#state ??= host.decoder(this.#encoding, this.#fatal, this.#ignoreBOM);
      const stream = Boolean(options?.stream);
      const decode = this.#state;
      if (!stream) this.#state = null;
      return decode(bytes === undefined ? new ArrayBuffer(0) : bytes, stream);
    }
  }

  return { TextEncoder, TextDecoder };
})
