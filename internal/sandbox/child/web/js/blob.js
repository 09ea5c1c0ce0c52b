// Blob and File: https://w3c.github.io/FileAPI/. Their bytes stay where they are; there are no streams.
(function (use) {
  "use strict";

  let bytesOf;

  // gather makes one buffer of the parts of a Blob.
  function gather(parts) {
    const encoder = new (use("encoding").TextEncoder)();
    const all = parts.map((part) => {
      if (part instanceof Blob) return new Uint8Array(bytesOf(part));
      if (part instanceof ArrayBuffer) return new Uint8Array(part);
      if (ArrayBuffer.isView(part)) return new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
      return encoder.encode(String(part));
    });
    const made = new Uint8Array(all.reduce((size, one) => size + one.length, 0));
    let at = 0;
    for (const one of all) {
      made.set(one, at);
      at += one.length;
    }
    return made.buffer;
  }

  function typeOf(type) {
    type = type === undefined ? "" : String(type);
    return /^[ -~]*$/.test(type) ? type.toLowerCase() : "";
  }

  class Blob {
    #bytes;
    #type;

    static { bytesOf = (blob) => blob.#bytes; }

    constructor(parts, options) {
      if (parts !== undefined && (typeof parts !== "object" || parts === null || typeof parts[Symbol.iterator] !== "function")) throw new TypeError("Blob takes an array of parts");
      this.#bytes = parts === undefined ? new ArrayBuffer(0) : gather([...parts]);
      this.#type = typeOf(options?.type);
    }

    get size() { return this.#bytes.byteLength; }
    get type() { return this.#type; }
    slice(start, end, type) { return new Blob([this.#bytes.slice(start, end)], { type }); }
    async arrayBuffer() { return this.#bytes.slice(0); }
    async bytes() { return new Uint8Array(this.#bytes.slice(0)); }
    async text() { return new (use("encoding").TextDecoder)().decode(this.#bytes); }
    stream() { throw new TypeError("there are no streams: use arrayBuffer(), bytes() or text()"); }
    get [Symbol.toStringTag]() { return "Blob"; }
  }

  class File extends Blob {
    #name;
    #modified;

    constructor(parts, name, options) {
      if (arguments.length < 2) throw new TypeError("File takes parts and a name");
      super(parts, options);
      this.#name = String(name);
      this.#modified = options?.lastModified === undefined ? Date.now() : Number(options.lastModified);
    }

    get name() { return this.#name; }
    get lastModified() { return this.#modified; }
    get [Symbol.toStringTag]() { return "File"; }
  }

  return { Blob, File, bytesOf };
})
