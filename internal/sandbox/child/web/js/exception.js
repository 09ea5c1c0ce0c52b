// DOMException, as https://webidl.spec.whatwg.org/#idl-DOMException has it: an error with a name and a legacy code.
(function () {
  "use strict";

  const codes = {
    IndexSizeError: 1, HierarchyRequestError: 3, WrongDocumentError: 4, InvalidCharacterError: 5, NoModificationAllowedError: 7, NotFoundError: 8,
    NotSupportedError: 9, InUseAttributeError: 10, InvalidStateError: 11, SyntaxError: 12, InvalidModificationError: 13, NamespaceError: 14,
    InvalidAccessError: 15, TypeMismatchError: 17, SecurityError: 18, NetworkError: 19, AbortError: 20, URLMismatchError: 21, QuotaExceededError: 22,
    TimeoutError: 23, InvalidNodeTypeError: 24, DataCloneError: 25,
  };

  class DOMException extends Error {
    constructor(message = "", options = "Error") {
      const named = typeof options === "object" && options !== null;
      super(String(message), named && "cause" in options ? { cause: options.cause } : undefined);
      const name = named ? options.name ?? "Error" : options;
      Object.defineProperty(this, "name", { value: String(name), writable: true, configurable: true, enumerable: false });
    }

    get code() { return codes[this.name] ?? 0; }
    get [Symbol.toStringTag]() { return "DOMException"; }
  }

  for (const [name, code] of Object.entries(codes)) {
    const constant = name.replace(/Error$/, "").replace(/URL/, "Url").replace(/(?!^)([A-Z])/g, "_$1").toUpperCase() + "_ERR";
    Object.defineProperty(DOMException, constant, { value: code, enumerable: true });
  }

  return { DOMException };
})
