// Object.groupBy, Map.groupBy and the getOrInsert methods of maps.
(function () {
  "use strict";

  function define(object, methods) {
    for (const name of Object.keys(methods)) {
      if (!object[name]) Object.defineProperty(object, name, { value: methods[name], writable: true, configurable: true, enumerable: false });
    }
  }

  function group(items, f) {
    if (items === undefined || items === null) throw new TypeError("groupBy takes an iterable");
    if (typeof f !== "function") throw new TypeError("groupBy takes a function");
    const groups = new Map();
    return (key) => {
      let i = 0;
      for (const item of items) {
        const k = key(f(item, i++));
        const list = groups.get(k);
        if (list) list.push(item);
        else groups.set(k, [item]);
      }
      return groups;
    };
  }

  define(Object, {
    groupBy(items, f) {
      const made = Object.create(null);
      for (const [key, list] of group(items, f)((k) => (typeof k === "symbol" ? k : String(k)))) made[key] = list;
      return made;
    },
  });
  define(Map, { groupBy(items, f) { return group(items, f)((k) => k); } });

  for (const of of [Map, WeakMap]) {
    define(of.prototype, {
      getOrInsert(key, value) {
        if (!this.has(key)) this.set(key, value);
        return this.get(key);
      },
      getOrInsertComputed(key, f) {
        if (typeof f !== "function") throw new TypeError("getOrInsertComputed takes a function");
        if (!this.has(key)) this.set(key, f(key));
        return this.get(key);
      },
    });
  }
  return {};
})
