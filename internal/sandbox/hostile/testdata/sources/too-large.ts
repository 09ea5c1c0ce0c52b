// expect: source_too_large
<% repeat 70000 "// a comment line\n" %>
export default () => 1;
