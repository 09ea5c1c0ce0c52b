// expect: compile_error
export default () => <% repeat 200000 "{a:" %>1<% repeat 200000 "}" %>;
