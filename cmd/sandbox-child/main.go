// Command sandbox-child is the program of a sandbox child by itself, as `make build` puts it into picloud: a process with little to load is there at once,
// and untrusted code runs beside no code that it has no use for.
package main

import (
	"os"

	"github.com/picloud/picloud/internal/sandbox/child"
)

func main() {
	// What runs from memory has no name in lists of processes. https://man7.org/linux/man-pages/man5/proc_pid_comm.5.html
	_ = os.WriteFile("/proc/self/comm", []byte("picloud-child"), 0)
	child.Main()
}
