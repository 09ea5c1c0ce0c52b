// Array.fromAsync.
(function (use) {
  "use strict";

  use("symbols");
  async function fromAsync(items, f, self) {
    if (f !== undefined && typeof f !== "function") throw new TypeError("Array.fromAsync takes a function");
    const made = typeof this === "function" && this !== Array ? new this() : [];
    let i = 0;
    const add = async (value) => Object.defineProperty(made, i, { value: f ? await f.call(self, value, i++) : (i++, value), writable: true, enumerable: true, configurable: true });
    const open = items[Symbol.asyncIterator];
    if (open !== undefined && open !== null) {
      const iterator = open.call(items);
      for (;;) {
        const step = await iterator.next();
        if (typeof step !== "object" || step === null) throw new TypeError("an iterator's result is not an object");
        if (step.done) break;
        try {
          await add(step.value);
        } catch (error) {
          await iterator.return?.();
          throw error;
        }
      }
    } else if (typeof items[Symbol.iterator] === "function") {
      for (const value of items) await add(await value);
    } else {
      for (let n = Math.trunc(Number(items.length)) || 0; i < n;) await add(await items[i]);
    }
    made.length = i;
    return made;
  }

  if (!Array.fromAsync) Object.defineProperty(Array, "fromAsync", { value: fromAsync, writable: true, configurable: true, enumerable: false });
  return {};
})
