// Package cli is the command line: it parses, wires the packages together, and turns errors into exit codes.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/picloud/picloud/internal/sandbox/child"
	"github.com/picloud/picloud/internal/sandbox/program"
)

// Version is what picloud --version prints. The build sets it: -ldflags "-X github.com/picloud/picloud/internal/cli.Version=v1.2.3".
var Version = "dev"

// Streams are the three standard streams of a process.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Main runs the command line and returns the exit code: 0 for success, 1 for a failure, which is printed on Err. The
// commands' context ends with the first SIGINT or SIGTERM; a second one ends the process at once.
func Main(args []string, streams Streams) int {
	if len(args) > 0 && args[0] == program.Argument { // it locks itself down as its first act: ahead of cobra and of the signal handler
		child.Main()
		return 0
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the signals' default action is back

	root := newRoot(streams)
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil {
		if !errors.Is(err, errSilent) {
			fmt.Fprintln(streams.Err, "picloud:", err)
		}
		return 1
	}
	return 0
}

// errSilent is the error of a command that has said by itself what went wrong.
var errSilent = errors.New("failed")

func newRoot(streams Streams) *cobra.Command {
	root := &cobra.Command{
		Use:           "picloud",
		Short:         "Self-hosted, event-driven serverless: upload a script, get an endpoint, every trigger runs durably",
		Version:       Version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	root.AddCommand(newServe(everything), newInit(), newApply(), newDebug(), newSecrets(), newEngine())
	root.AddCommand(newRoles()...)
	return root
}
