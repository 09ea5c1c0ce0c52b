// expect: CPULimitExceeded
for (;;) {}
export default () => 1;
