// expect: any
export default () => 1<% repeat 80000 "+1" %>;
