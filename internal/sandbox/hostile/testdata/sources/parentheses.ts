// expect: compile_error
export default () => <% repeat 200000 "(" %>1<% repeat 200000 ")" %>;
