// Iterator and its helpers: https://tc39.es/ecma262/#sec-iterator-objects
(function () {
  "use strict";

  const prototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));

  function define(object, methods) {
    for (const name of Object.getOwnPropertyNames(methods)) {
      Object.defineProperty(object, name, { value: methods[name], writable: true, configurable: true, enumerable: false });
    }
  }

  function Iterator() {
    if (new.target === Iterator || new.target === undefined) throw new TypeError("Iterator is made by a class that extends it");
  }

  define(Iterator, {
    from(source) {
      if (typeof source === "string") return source[Symbol.iterator]();
      if (typeof source !== "object" || source === null) throw new TypeError("Iterator.from takes an iterable or an iterator");
      const make = source[Symbol.iterator];
      const iterator = make === undefined || make === null ? source : make.call(source);
      if (iterator instanceof Iterator) return iterator;
      const next = iterator.next;
      return helper(iterator, function* () { yield* steps(iterator, next); });
    },
    concat(...sources) {
      const opened = sources.map((one) => {
        if (typeof one !== "object" || one === null || typeof one[Symbol.iterator] !== "function") throw new TypeError("Iterator.concat takes iterables");
        return [one, one[Symbol.iterator]];
      });
      return (function* () { for (const [one, open] of opened) yield* { [Symbol.iterator]: () => open.call(one) }; })();
    },
  });
  Object.defineProperty(Iterator, "prototype", { value: prototype, writable: false, enumerable: false, configurable: false });
  Object.defineProperty(prototype, "constructor", { value: Iterator, writable: true, configurable: true, enumerable: false });
  Object.defineProperty(prototype, Symbol.toStringTag, { value: "Iterator", writable: true, configurable: true, enumerable: false });

  // steps yields what an iterator gives, and closes it when it is left early.
  function* steps(iterator, next) {
    let open = true;
    try {
      for (;;) {
        open = false; // an iterator that throws is not closed
        const step = next.call(iterator);
        if (typeof step !== "object" || step === null) throw new TypeError("an iterator's result is not an object");
        if (step.done) return;
        const value = step.value;
        open = true;
        yield value;
      }
    } finally {
      if (open) iterator.return?.();
    }
  }

  // helper starts a generator over an iterator such that return() before the first next() closes the iterator too.
  function helper(iterator, body) {
    const generator = body();
    let started = false;
    const made = Object.create(prototype);
    define(made, {
      next() {
        started = true;
        return generator.next();
      },
      return() {
        if (!started) {
          started = true;
          generator.return();
          iterator.return?.();
          return { value: undefined, done: true };
        }
        return generator.return();
      },
    });
    return made;
  }

  function opened(self) {
    if (typeof self !== "object" && typeof self !== "function" || self === null) throw new TypeError("an iterator helper is called on an iterator");
    return [self, self.next];
  }

  function callable(self, f) {
    if (typeof f !== "function") {
      if (typeof self === "object" && self !== null) self.return?.();
      throw new TypeError(String(f) + " is not a function");
    }
  }

  function limit(self, n) {
    const whole = Number(n);
    if (Number.isNaN(whole) || Math.trunc(whole) < 0) {
      self.return?.();
      throw new RangeError(String(n) + " must be a number of at least 0");
    }
    return Math.trunc(whole);
  }

  define(prototype, {
    map(f) {
      callable(this, f);
      const [self, next] = opened(this);
      return helper(self, function* () {
        let i = 0;
        for (const value of steps(self, next)) yield f(value, i++);
      });
    },
    filter(f) {
      callable(this, f);
      const [self, next] = opened(this);
      return helper(self, function* () {
        let i = 0;
        for (const value of steps(self, next)) if (f(value, i++)) yield value;
      });
    },
    take(n) {
      const most = limit(this, n);
      const [self, next] = opened(this);
      return helper(self, function* () {
        let left = most;
        if (left === 0) {
          self.return?.();
          return;
        }
        for (const value of steps(self, next)) {
          yield value;
          if (--left === 0) return;
        }
      });
    },
    drop(n) {
      const first = limit(this, n);
      const [self, next] = opened(this);
      return helper(self, function* () {
        let left = first;
        for (const value of steps(self, next)) if (left > 0) left--; else yield value;
      });
    },
    flatMap(f) {
      callable(this, f);
      const [self, next] = opened(this);
      return helper(self, function* () {
        let i = 0;
        for (const value of steps(self, next)) {
          const inner = f(value, i++);
          if (typeof inner !== "object" || inner === null) throw new TypeError("flatMap's function must give an iterable");
          yield* typeof inner[Symbol.iterator] === "function" ? inner : steps(inner, inner.next);
        }
      });
    },
    reduce(f, ...initial) {
      callable(this, f);
      const [self, next] = opened(this);
      let i = 0, held = initial.length > 0, sum = initial[0];
      for (const value of steps(self, next)) {
        sum = held ? f(sum, value, i) : value;
        held = true;
        i++;
      }
      if (!held) throw new TypeError("reduce of an empty iterator with no initial value");
      return sum;
    },
    toArray() { return [...steps(...opened(this))]; },
    forEach(f) {
      callable(this, f);
      let i = 0;
      for (const value of steps(...opened(this))) f(value, i++);
    },
    some(f) {
      callable(this, f);
      let i = 0;
      for (const value of steps(...opened(this))) if (f(value, i++)) return true;
      return false;
    },
    every(f) {
      callable(this, f);
      let i = 0;
      for (const value of steps(...opened(this))) if (!f(value, i++)) return false;
      return true;
    },
    find(f) {
      callable(this, f);
      let i = 0;
      for (const value of steps(...opened(this))) if (f(value, i++)) return value;
      return undefined;
    },
  });

  return { Iterator };
})
