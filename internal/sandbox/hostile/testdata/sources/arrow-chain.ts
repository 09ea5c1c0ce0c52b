// expect: any
export default <% repeat 200000 "()=>" %>1;
