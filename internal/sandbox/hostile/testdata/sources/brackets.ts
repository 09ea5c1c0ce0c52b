// expect: compile_error
export default () => <% repeat 400000 "[" %>;
