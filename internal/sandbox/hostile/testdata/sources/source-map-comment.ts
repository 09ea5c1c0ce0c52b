// expect: any
export default () => 1;
//# sourceMappingURL=/etc/passwd
