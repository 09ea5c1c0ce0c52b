// structuredClone: https://html.spec.whatwg.org/#structuredserializeinternal, without transfer between threads: what is transferred is moved.
(function (use, host) {
  "use strict";

  const errors = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
  const toString = Object.prototype.toString;
  const tag = (value) => toString.call(value).slice(8, -1);

  function refuse(value, what) {
    throw new (use("exception").DOMException)(what + " could not be cloned", "DataCloneError");
  }

  // brand reports whether a built-in method accepts the value: what toString says can be forged.
  function brand(f) {
    try {
      f();
      return true;
    } catch {
      return false;
    }
  }
  const mapSize = Object.getOwnPropertyDescriptor(Map.prototype, "size").get;
  const setSize = Object.getOwnPropertyDescriptor(Set.prototype, "size").get;

  function clone(value, seen) {
    if (typeof value === "symbol") refuse(value, String(value));
    if (typeof value === "function") refuse(value, "function " + (value.name || "(anonymous)"));
    if (typeof value !== "object" || value === null) return value;
    if (seen.has(value)) return seen.get(value);
    const keep = (made) => {
      seen.set(value, made);
      return made;
    };

    if (Array.isArray(value)) return own(value, keep(new Array(value.length)), seen);
    if (Error.isError(value)) return error(value, keep, seen);
    if (value instanceof ArrayBuffer) return keep(value.slice(0));
    if (ArrayBuffer.isView(value)) {
      const buffer = clone(value.buffer, seen);
      const name = value instanceof DataView ? "DataView" : value[Symbol.toStringTag];
      return keep(new globalThis[name](buffer, value.byteOffset, name === "DataView" ? value.byteLength : value.length));
    }
    switch (tag(value)) {
      case "Date": if (brand(() => Date.prototype.getTime.call(value))) return keep(new Date(value.getTime())); break;
      case "RegExp": return keep(new RegExp(value.source, value.flags));
      case "Boolean": case "Number": case "String": return keep(Object(value.valueOf()));
      case "BigInt": return keep(Object(BigInt.prototype.valueOf.call(value)));
      case "Symbol": return refuse(value, "a Symbol object");
      case "Map":
        if (brand(() => mapSize.call(value))) {
          const map = keep(new Map());
          for (const [k, v] of [...Map.prototype.entries.call(value)]) map.set(clone(k, seen), clone(v, seen));
          return map;
        }
        break;
      case "Set":
        if (brand(() => setSize.call(value))) {
          const set = keep(new Set());
          for (const v of [...Set.prototype.values.call(value)]) set.add(clone(v, seen));
          return set;
        }
        break;
      case "Promise": case "WeakMap": case "WeakSet": case "WeakRef": case "Generator": return refuse(value, "a " + tag(value));
    }
    if (use.loaded("blob")) {
      const { Blob, File, bytesOf } = use("blob");
      if (value instanceof File) return keep(new File([bytesOf(value)], value.name, { type: value.type, lastModified: value.lastModified }));
      if (value instanceof Blob) return keep(new Blob([value], { type: value.type }));
    }
    for (const [module, name] of [["response", "Response"], ["request", "Request"], ["headers", "Headers"], ["url", "URL"], ["params", "URLSearchParams"], ["formdata", "FormData"], ["abort", "AbortSignal"], ["event", "Event"]]) {
      if (use.loaded(module) && value instanceof use(module)[name]) refuse(value, "a " + name);
    }
    return own(value, keep({}), seen);
  }

  // own copies the own enumerable properties.
  function own(value, made, seen) {
    for (const key of Object.keys(value)) {
      Object.defineProperty(made, key, { value: clone(value[key], seen), writable: true, enumerable: true, configurable: true });
    }
    return made;
  }

  function error(value, keep, seen) {
    const hidden = (made, key, v) => Object.defineProperty(made, key, { value: v, writable: true, enumerable: false, configurable: true });
    if (use.loaded("exception") && value instanceof use("exception").DOMException) {
      const made = keep(new (use("exception").DOMException)(value.message, value.name));
      return hidden(made, "stack", value.stack);
    }
    const made = keep(new (errors[value.name] ?? Error)());
    if ("message" in value) hidden(made, "message", String(value.message));
    if (typeof value.stack === "string") hidden(made, "stack", value.stack);
    if (Object.hasOwn(value, "cause")) hidden(made, "cause", clone(value.cause, seen));
    return made;
  }

  function structuredClone(value, options) {
    if (arguments.length === 0) throw new TypeError("structuredClone takes a value");
    const transfer = options?.transfer === undefined ? [] : [...options.transfer];
    for (const one of transfer) if (!(one instanceof ArrayBuffer)) refuse(one, "what is transferred must be an ArrayBuffer and");
    const made = clone(value, new Map());
    transfer.forEach(host.detach);
    return made;
  }

  return { structuredClone };
})
