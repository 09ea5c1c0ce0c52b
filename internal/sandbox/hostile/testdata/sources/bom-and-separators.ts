// expect: any
<% bom %>export default () => 1;
