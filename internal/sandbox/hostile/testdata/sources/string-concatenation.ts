// expect: any
export default () => <% repeat 50000 "\"aaaaaaaaaaaaaaaa\"+" %>"a";
