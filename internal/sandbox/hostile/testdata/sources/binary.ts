// expect: any
export default () => 1<% repeat 300000 "+1" %>;
