// expect: any
export default (a: any) => a<% repeat 200000 "?.b" %>;
