// Command picloud is the whole of PiCloud: server, roles and client in one binary.
package main

import (
	"os"

	"github.com/picloud/picloud/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
