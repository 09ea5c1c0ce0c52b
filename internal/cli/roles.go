package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/picloud/picloud/api"
	"github.com/picloud/picloud/internal/config"
)

// role is what a process does of all that PiCloud is.
type role struct {
	name, short, long string
	serves            api.Serves
	controls          bool // keeps the schema, the first key and the Schedules, and compiles
	dispatches        bool // takes mails in and starts what the outbox has
	executes          bool // runs scripts
}

// everything is the role of picloud up.
var everything = role{
	name: "up", serves: api.ServesAll, controls: true, dispatches: true, executes: true,
	short: "Run everything in this process: API, dispatcher, workers, and where none are configured PostgreSQL and Temporal",
	long: "Run everything in this process. With nothing configured it starts a private PostgreSQL and an in-process Temporal that persists in it;\n" +
		"DATABASE_URL and TEMPORAL_ADDRESS replace either. docs/operations.md lists the environment.",
}

// clustered are the roles of the processes of a cluster.
var clustered = []role{
	{
		name: "manager", serves: api.ServesControl, controls: true,
		short: "Run the control plane of a cluster: API, Temporal UI, Schedules, the database's schema. One of them",
	},
	{
		name: "orchestrator", serves: api.ServesScripts, dispatches: true,
		short: "Run a node's ingress and dispatch: the scripts' endpoints, mails that come in, the outbox. As many as there are nodes",
	},
	{
		name: "executor", serves: api.ServesHealth, executes: true,
		short: "Run a node's sandbox: workers that run scripts. As many as there are nodes",
	},
}

// alone says whether the process does all there is.
func (r role) alone() bool { return r.name == everything.name }

// title is what people are told that is up.
func (r role) title() string {
	if r.alone() {
		return "PiCloud"
	}
	return "PiCloud's " + r.name
}

// check says what a role needs that the environment does not give.
func (r role) check(c config.Config) error {
	var missing []error
	if !r.alone() && c.DatabaseURL == "" {
		missing = append(missing, fmt.Errorf("DATABASE_URL is not set: picloud %s shares a PostgreSQL with the other processes of its cluster; picloud up starts one of its own", r.name))
	}
	if !r.alone() && c.TemporalAddress == "" {
		missing = append(missing, fmt.Errorf("TEMPORAL_ADDRESS is not set: picloud %s shares a Temporal with the other processes of its cluster; picloud up has one in its process", r.name))
	}
	return errors.Join(missing...)
}

// newRoles makes a command for each role of a cluster.
func newRoles() []*cobra.Command {
	commands := make([]*cobra.Command, len(clustered))
	for i, r := range clustered {
		r.long = r.short + ".\n\nDATABASE_URL and TEMPORAL_ADDRESS name what the processes of a cluster share, PICLOUD_INSTANCE_KEY or PICLOUD_INSTANCE_KEY_FILE the key of its secrets.\n" +
			"docs/operations.md lists the environment."
		commands[i] = newServe(r)
	}
	return commands
}
