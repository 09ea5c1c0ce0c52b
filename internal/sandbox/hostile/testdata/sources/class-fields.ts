// expect: any
class A { <% repeat 100000 "a = 1;" %> }
export default () => 1;
