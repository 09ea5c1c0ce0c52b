// RegExp for patterns made at run time: \p{…} is written out and what goja would mismatch is refused, as in literals; with RegExp.escape.
(function (use, host) {
  "use strict";

  const Native = RegExp;

  function Made(source, flags) {
    const isPattern = typeof source === "object" && source !== null && source[Symbol.match] !== undefined;
    if (new.target === undefined && isPattern && flags === undefined && source.constructor === Made) return source;
    const target = new.target ?? Made;
    if (isPattern) {
      if (flags !== undefined) host.expand(source.source, String(flags));
      return Reflect.construct(Native, flags === undefined ? [source] : [source, flags], target);
    }
    flags = flags === undefined ? "" : String(flags);
    return Reflect.construct(Native, [host.expand(source === undefined ? "" : String(source), flags), flags], target);
  }
  Object.defineProperty(Made, "name", { value: "RegExp", configurable: true });
  Object.defineProperty(Made, "prototype", { value: Native.prototype, writable: false });
  Object.defineProperty(Made, Symbol.species, Object.getOwnPropertyDescriptor(Native, Symbol.species));
  Object.defineProperty(Native.prototype, "constructor", { value: Made, writable: true, configurable: true, enumerable: false });

  const hex = (unit) => (unit < 0x100 ? "\\x" + unit.toString(16).padStart(2, "0") : "\\u" + unit.toString(16).padStart(4, "0"));
  const control = { "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f", "\r": "\\r" };
  Object.defineProperty(Made, "escape", {
    value: function escape(text) {
      if (typeof text !== "string") throw new TypeError("RegExp.escape takes a string");
      let made = "";
      for (const char of text) {
        if (made === "" && /[0-9A-Za-z]/.test(char)) made += hex(char.charCodeAt(0));
        else if (/[\^$\\.*+?()[\]{}|/]/.test(char)) made += "\\" + char;
        else if (control[char]) made += control[char];
        else if (/[,\-=<>#&!%:;@~'`"]/.test(char) || /\s/.test(char) || (char.length === 1 && char >= "\ud800" && char <= "\udfff")) made += hex(char.charCodeAt(0));
        else made += char;
      }
      return made;
    },
    writable: true, configurable: true, enumerable: false,
  });
  Object.defineProperty(globalThis, "RegExp", { value: Made, writable: true, configurable: true, enumerable: false });
  return {};
})
