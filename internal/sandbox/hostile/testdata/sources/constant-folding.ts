// expect: any
export default () => <% repeat 50000 "(\"a\"+" %>"b"<% repeat 50000 ")" %>;
