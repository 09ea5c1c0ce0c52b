// The errors by which a script speaks to the retry policy.
(function (use, host) {
  "use strict";

  function hidden(object, name, value) {
    Object.defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });
  }

  class NonRetryableError extends Error {}
  hidden(NonRetryableError.prototype, "name", "NonRetryableError");

  class RetryAfterError extends Error {
    constructor(message, after, options) {
      const ms = host.duration(after);
      super(message, options);
      hidden(this, "retryAfter", ms);
    }
  }
  hidden(RetryAfterError.prototype, "name", "RetryAfterError");

  return { NonRetryableError, RetryAfterError };
})
