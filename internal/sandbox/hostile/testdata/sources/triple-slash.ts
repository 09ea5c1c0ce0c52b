// expect: any
/// <reference path="/etc/passwd" />
export default () => 1;
