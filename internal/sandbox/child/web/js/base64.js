// atob and btoa: https://html.spec.whatwg.org/#atob
(function (use, host) {
  "use strict";

  function atob(text) {
    if (arguments.length === 0) throw new TypeError("atob takes a string");
    return host.atob(String(text));
  }

  function btoa(text) {
    if (arguments.length === 0) throw new TypeError("btoa takes a string");
    return host.btoa(String(text));
  }

  return { atob, btoa };
})
