// expect: any
export default () => "\xff<% bytes %>";
