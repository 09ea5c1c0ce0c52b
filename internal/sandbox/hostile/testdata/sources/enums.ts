// expect: any
<% repeat 5000 "enum A { a = 1, b = a + 1 }\n" %>export default () => A.b;
