// expect: any
export default { get then() { for (;;) {} } };
