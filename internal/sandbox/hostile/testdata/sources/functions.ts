// expect: any
<% repeat 50000 "function f(){" %><% repeat 50000 "}" %>
export default () => 1;
