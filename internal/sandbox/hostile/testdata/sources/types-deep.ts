// expect: any
type A = <% repeat 200000 "[" %>1<% repeat 200000 "]" %>;
export default (a: A) => 1;
