// Math.sumPrecise and the transfer methods of ArrayBuffer.
(function (use, host) {
  "use strict";

  function define(object, methods) {
    for (const name of Object.keys(methods)) {
      if (!object[name]) Object.defineProperty(object, name, { value: methods[name], writable: true, configurable: true, enumerable: false });
    }
  }

  define(Math, {
    sumPrecise(items) {
      const numbers = [];
      let infinite = 0, zero = true;
      for (const n of items) {
        if (typeof n !== "number") throw new TypeError("Math.sumPrecise takes numbers");
        if (!Number.isFinite(n)) infinite += n;
        else numbers.push(n);
        zero &&= Object.is(n, -0);
      }
      if (infinite !== 0) return infinite;
      return zero ? -0 : host.sum(numbers);
    },
  });

  function transfer(length = this.byteLength) {
    const made = new ArrayBuffer(length);
    new Uint8Array(made).set(new Uint8Array(this).subarray(0, length));
    host.detach(this);
    return made;
  }
  define(ArrayBuffer.prototype, { transfer, transferToFixedLength: transfer });
  return {};
})
