// expect: any
export default () => /<% repeat 100000 "(" %>a<% repeat 100000 ")" %>/.test("a");
