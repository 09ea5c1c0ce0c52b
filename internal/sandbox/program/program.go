// Package program is where the program of the sandbox's children comes from.
package program

import (
	"fmt"
	"os"
	"sync"
)

// Argument is the first argument of a child: it has the whole of picloud be one.
const Argument = "sandbox-child"

// Command gives the argv of a child. It is the small program that picloud was built with (build tag embedchild: `make build` sets it), else picloud itself:
// where there is none, and where the machine refuses to run a program from memory. The same at every call.
var Command = sync.OnceValues(func() ([]string, error) {
	if path, err := inMemory(embedded); err == nil {
		return []string{path, Argument}, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the program of the sandbox's children: %w", err)
	}
	return []string{self, Argument}, nil
})
