// expect: any
export default () => require("/etc/passwd");
