// expect: any
for (;;) {}
export default () => 1;
