// expect: any
<% repeat 1000 "export const a = 1;" %>
export default () => 1;
