// FormData: https://xhr.spec.whatwg.org/#interface-formdata, with multipart/form-data and urlencoded bodies. Go reads and writes multipart.
(function (use, host) {
  "use strict";

  const { Blob, File, bytesOf } = use("blob");
  let list;

  function entry(name, value, filename) {
    name = String(name);
    if (!(value instanceof Blob)) {
      if (filename !== undefined) throw new TypeError("only a Blob or a File has a file name");
      return [name, String(value)];
    }
    if (!(value instanceof File) || filename !== undefined) value = new File([value], filename === undefined ? value.name ?? "blob" : filename, { type: value.type });
    return [name, value];
  }

  class FormData {
    #list = [];

    static { list = (form) => form.#list; }

    constructor(form) {
      if (form !== undefined) throw new TypeError("FormData takes no form here: there is no document");
    }

    append(name, value, filename) { this.#list.push(entry(name, value, filename)); }
    delete(name) { this.#list = this.#list.filter((one) => one[0] !== String(name)); }
    get(name) { return this.#list.find((one) => one[0] === String(name))?.[1] ?? null; }
    getAll(name) { return this.#list.filter((one) => one[0] === String(name)).map((one) => one[1]); }
    has(name) { return this.#list.some((one) => one[0] === String(name)); }
    set(name, value, filename) {
      const made = entry(name, value, filename);
      const at = this.#list.findIndex((one) => one[0] === made[0]);
      if (at < 0) this.#list.push(made);
      else {
        this.#list[at] = made;
        this.#list = this.#list.filter((one, i) => i <= at || one[0] !== made[0]);
      }
    }

    *entries() { for (let i = 0; i < this.#list.length; i++) yield [this.#list[i][0], this.#list[i][1]]; }
    *keys() { for (const one of this.entries()) yield one[0]; }
    *values() { for (const one of this.entries()) yield one[1]; }
    [Symbol.iterator]() { return this.entries(); }
    forEach(f, self) { for (const [name, value] of this.entries()) f.call(self, value, name, this); }
    get [Symbol.toStringTag]() { return "FormData"; }
  }

  // encode gives a form as multipart/form-data: its bytes and its content type.
  function encode(form) {
    const parts = list(form).map(([name, value]) => (value instanceof File ? [name, value.name, value.type, bytesOf(value)] : [name, value]));
    return host.encode(parts);
  }

  // decode makes a form of a body of a content type.
  function decode(bytes, type) {
    const form = new FormData();
    if (/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) {
      for (const [name, value] of new (use("params").URLSearchParams)(new (use("encoding").TextDecoder)().decode(bytes))) form.append(name, value);
      return form;
    }
    if (!/^multipart\/form-data\s*(;|$)/i.test(type)) throw new TypeError("formData() reads multipart/form-data and application/x-www-form-urlencoded, the content type is " + JSON.stringify(type));
    for (const [name, value, filename, kind] of host.decode(bytes, type)) {
      form.append(name, filename === undefined ? value : new File([value], filename, { type: kind }));
    }
    return form;
  }

  return { FormData, encode, decode };
})
