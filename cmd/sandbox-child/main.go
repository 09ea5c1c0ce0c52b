// Command sandbox-child is the program of a sandbox child by itself, as `make build` puts it into picloud: a process with little to load is there at once,
// and untrusted code runs beside no code that it has no use for.
package main

import "github.com/picloud/picloud/internal/sandbox/child"

func main() { child.Main() }
