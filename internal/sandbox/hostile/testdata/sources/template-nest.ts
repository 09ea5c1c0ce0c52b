// expect: any
export default () => <% repeat 50000 "`${" %>1<% repeat 50000 "}`" %>;
