// expect: any
export default (a: any) => a<% repeat 400000 ".b" %>;
