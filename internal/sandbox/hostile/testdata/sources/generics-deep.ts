// expect: any
let a: <% repeat 200000 "A<" %>1<% repeat 200000 ">" %>;
export default () => 1;
