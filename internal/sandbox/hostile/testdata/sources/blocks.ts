// expect: any
export default () => { <% repeat 200000 "{" %><% repeat 200000 "}" %> };
