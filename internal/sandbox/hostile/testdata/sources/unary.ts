// expect: any
export default () => <% repeat 400000 "!" %>1;
