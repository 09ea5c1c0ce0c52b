// There is no Intl. What asks for a locale or for options would get an answer that ignores them: it is refused instead.
(function () {
  "use strict";

  const plain = (locales) => [].concat(locales ?? []).every((one) => /^(en|und)\b/i.test(String(one)));

  function guard(prototype, name, first, instead) {
    const builtin = prototype[name];
    Object.defineProperty(prototype, name, {
      value: {
        [name](...args) {
          const [locales, options] = args.slice(first);
          if (!plain(locales) || options !== undefined) throw new RangeError(name + " takes no locale but \"en\" and no options here, there is no Intl: " + instead);
          return builtin.apply(this, args.slice(0, first));
        },
      }[name],
      writable: true, configurable: true, enumerable: false,
    });
  }

  for (const name of ["toLocaleString", "toLocaleDateString", "toLocaleTimeString"]) guard(Date.prototype, name, 0, "build the text from toISOString() or the getUTC… methods");
  for (const of of [Number, BigInt]) guard(of.prototype, "toLocaleString", 0, "use toFixed() and replace()");
  for (const name of ["toLocaleLowerCase", "toLocaleUpperCase"]) guard(String.prototype, name, 0, "use toLowerCase() or toUpperCase()");
  guard(String.prototype, "localeCompare", 1, "compare keys that you make yourself");
  return {};
})
