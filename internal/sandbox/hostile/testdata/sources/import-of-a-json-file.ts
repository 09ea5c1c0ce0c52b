// expect: compile_error
import x from "../../../../etc/passwd.json" with { type: "json" };
export default () => x;
