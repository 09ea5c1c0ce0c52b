// crypto: https://w3c.github.io/webcrypto/. SHA digests, HMAC and AES-GCM with raw keys; the rest says what there is.
(function (use, host) {
  "use strict";

  const exception = (message, name) => new (use("exception").DOMException)(message, name);
  const secret = Symbol("secret");
  const hashes = ["SHA-1", "SHA-256", "SHA-384", "SHA-512"];
  const integers = ["Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array", "BigInt64Array", "BigUint64Array"];

  function algorithm(given, names, what) {
    const made = typeof given === "string" ? { name: given } : { ...given };
    const name = names.find((one) => one === String(made.name).toUpperCase());
    if (name === undefined) throw exception(what + " knows " + names.join(", ") + ", not " + JSON.stringify(made.name ?? given), "NotSupportedError");
    made.name = name;
    return made;
  }

  class CryptoKey {
    #algorithm; #extractable; #usages; #secret;

    constructor(k, algorithm, extractable, usages, bytes) {
      if (k !== secret) throw new TypeError("CryptoKey cannot be made with new: use crypto.subtle.importKey or generateKey");
      this.#algorithm = algorithm;
      this.#extractable = extractable;
      this.#usages = usages;
      this.#secret = bytes;
    }

    get type() { return "secret"; }
    get algorithm() { return this.#algorithm; }
    get extractable() { return this.#extractable; }
    get usages() { return this.#usages; }
    get [Symbol.toStringTag]() { return "CryptoKey"; }

    static [secret](key, name, usage) {
      if (typeof key !== "object" || key === null || !(#secret in key)) throw new TypeError("the key must be a CryptoKey");
      if (name !== undefined && key.#algorithm.name !== name) throw exception("the key is for " + key.#algorithm.name + ", not for " + name, "InvalidAccessError");
      if (usage !== undefined && !key.#usages.includes(usage)) throw exception("the key is not made to " + usage + ": name it in its usages", "InvalidAccessError");
      return key.#secret;
    }
  }
  const secretOf = CryptoKey[secret];
  delete CryptoKey[secret];

  const allowed = { "HMAC": ["sign", "verify"], "AES-GCM": ["encrypt", "decrypt", "wrapKey", "unwrapKey"] };

  function makeKey(given, bytes, extractable, usages) {
    const made = algorithm(given, ["HMAC", "AES-GCM"], "a key");
    const list = [...usages].map(String);
    if (list.length === 0 || !list.every((one) => allowed[made.name].includes(one))) throw exception("the usages of a key for " + made.name + " are " + allowed[made.name].join(", "), "SyntaxError");
    const described = { name: made.name };
    if (made.name === "HMAC") {
      described.hash = { name: algorithm(made.hash, hashes, "HMAC").name };
      bytes ??= host.random(made.length ? Math.ceil(made.length / 8) : described.hash.name === "SHA-1" || described.hash.name === "SHA-256" ? 64 : 128);
      if (bytes.byteLength === 0) throw exception("a key for HMAC cannot be empty", "DataError");
    } else {
      bytes ??= host.random(Number(made.length) / 8);
      if (![16, 24, 32].includes(bytes.byteLength)) throw exception("a key for AES-GCM has 16, 24 or 32 bytes", "DataError");
    }
    described.length = bytes.byteLength * 8;
    return new CryptoKey(secret, described, Boolean(extractable), list, bytes);
  }

  function gcm(given) {
    const made = algorithm(given, ["AES-GCM"], "encrypt");
    const tag = made.tagLength ?? 128;
    if (![96, 104, 112, 120, 128].includes(tag)) throw exception("tagLength is 96, 104, 112, 120 or 128", "OperationError");
    return [made.iv, made.additionalData ?? new ArrayBuffer(0), tag / 8];
  }

  class SubtleCrypto {
    async digest(given, data) { return host.digest(algorithm(given, hashes, "digest").name, data); }

    async importKey(format, data, given, extractable, usages) {
      if (format === "jwk" && data?.kty === "oct") return makeKey(given, Uint8Array.fromBase64(String(data.k), { alphabet: "base64url" }).buffer, extractable, usages);
      if (format !== "raw") throw exception("importKey knows the formats raw and jwk (oct), not " + JSON.stringify(format), "NotSupportedError");
      return makeKey(given, host.copy(data), extractable, usages);
    }

    async generateKey(given, extractable, usages) { return makeKey(given, null, extractable, usages); }

    async exportKey(format, key) {
      const bytes = secretOf(key);
      if (!key.extractable) throw exception("the key is not extractable", "InvalidAccessError");
      if (format === "raw") return bytes.slice(0);
      if (format !== "jwk") throw exception("exportKey knows the formats raw and jwk, not " + JSON.stringify(format), "NotSupportedError");
      const alg = key.algorithm.name === "HMAC" ? "HS" + key.algorithm.hash.name.slice(4) : "A" + key.algorithm.length + "GCM";
      return { kty: "oct", k: new Uint8Array(bytes).toBase64({ alphabet: "base64url", omitPadding: true }), alg, key_ops: [...key.usages], ext: true };
    }

    async sign(given, key, data) {
      algorithm(given, ["HMAC"], "sign");
      return host.hmac(key.algorithm?.hash?.name, secretOf(key, "HMAC", "sign"), data);
    }

    async verify(given, key, signature, data) {
      algorithm(given, ["HMAC"], "verify");
      return host.equal(signature, host.hmac(key.algorithm?.hash?.name, secretOf(key, "HMAC", "verify"), data));
    }

    async encrypt(given, key, data) { return host.seal(secretOf(key, "AES-GCM", "encrypt"), ...gcm(given), data); }

    async decrypt(given, key, data) {
      const opened = host.open(secretOf(key, "AES-GCM", "decrypt"), ...gcm(given), data);
      if (opened === null) throw exception("the data does not decrypt with this key", "OperationError");
      return opened;
    }

    get [Symbol.toStringTag]() { return "SubtleCrypto"; }
  }
  for (const name of ["deriveBits", "deriveKey", "wrapKey", "unwrapKey"]) {
    Object.defineProperty(SubtleCrypto.prototype, name, {
      async value() { throw exception("crypto.subtle." + name + " is not there: there are digest, HMAC and AES-GCM", "NotSupportedError"); },
      writable: true, configurable: true, enumerable: false,
    });
  }

  class Crypto {
    #subtle = new SubtleCrypto();

    get subtle() { return this.#subtle; }
    randomUUID() { return host.uuid(); }
    getRandomValues(array) {
      if (!ArrayBuffer.isView(array) || !integers.includes(array[Symbol.toStringTag])) throw exception("getRandomValues fills a typed array of integers", "TypeMismatchError");
      if (array.byteLength > 65536) throw exception("getRandomValues gives at most 65536 bytes at once, not " + array.byteLength, "QuotaExceededError");
      host.fill(array);
      return array;
    }
    get [Symbol.toStringTag]() { return "Crypto"; }
  }

  return { crypto: new Crypto(), Crypto, CryptoKey, SubtleCrypto };
})
