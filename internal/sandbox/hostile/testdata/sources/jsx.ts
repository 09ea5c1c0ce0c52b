// expect: compile_error
export default () => <a><b/></a>;
