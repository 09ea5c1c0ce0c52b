// expect: any
export default () => "<% nul %>";
