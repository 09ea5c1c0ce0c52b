// expect: any
class A { <% repeat 30000 "a = 1;" %> }
export default () => 1;
