// expect: compile_error

