// expect: any
export default new Proxy(() => 1, { get() { for (;;) {} }, apply() { for (;;) {} } });
