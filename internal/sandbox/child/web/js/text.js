// String.prototype.isWellFormed and toWellFormed.
(function () {
  "use strict";

  const methods = {
    isWellFormed() {
      const s = String(this);
      for (let i = 0; i < s.length; i++) {
        const unit = s.charCodeAt(i);
        if (unit < 0xd800 || unit > 0xdfff) continue;
        const next = s.charCodeAt(i + 1);
        if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return false;
        i++;
      }
      return true;
    },
    toWellFormed() {
      const s = String(this);
      if (methods.isWellFormed.call(s)) return s;
      let made = "";
      for (const char of s) made += char.length === 1 && char >= "\ud800" && char <= "\udfff" ? "\ufffd" : char;
      return made;
    },
  };
  for (const name of Object.keys(methods)) {
    if (!String.prototype[name]) Object.defineProperty(String.prototype, name, { value: methods[name], writable: true, configurable: true, enumerable: false });
  }
  return {};
})
