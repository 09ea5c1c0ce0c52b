// expect: CPULimitExceeded
class A { static { for (;;) {} } }
export default () => 1;
