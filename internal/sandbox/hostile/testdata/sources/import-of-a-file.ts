// expect: compile_error
import x from "/etc/passwd";
export default () => x;
