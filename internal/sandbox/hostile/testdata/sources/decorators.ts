// expect: any
<% repeat 20000 "@a " %>class A {}
function a(x: any) {}
export default () => 1;
