// expect: any
export default () => <% repeat 200000 "1?" %>1<% repeat 200000 ":1" %>;
