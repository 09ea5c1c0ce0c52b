// expect: any
export default () => import("/etc/passwd");
