package picloud

import (
	"context"
	"time"
)

// Run is one attempt as the sandbox sees it.
type Run struct {
	ExecutionID string
	AppID       string
	App         string
	Script      string
	Version     int
	Program     Program
	Limits      Limits
	Event       Event
	Attempt     int
	DryRun      bool
	FetchLive   bool      // of a dry run: ctx.fetch reaches the outside
	May         *Grant    // checked at every host call that reads or writes data; nil = everything
	FetchAllow  []string  // the app's allow-list, see ParseFetchRules; empty = every public host
	Time        time.Time // where the run's clock begins; zero = now
	Tape        *Tape     // the run is repeated from it: nothing outside is asked; nil = a run of its own
	Seed        int64     // of Math.random: the same seed gives the same numbers
}

// Outcome is what came of a run. Failure is set when the script failed; then Result and Effects mean nothing.
type Outcome struct {
	Result  Result
	Failure *ScriptError
	Effects []Effect
	Reads   ReadSet
	Logs    []LogLine
	Usage   Usage
	Tape    *Tape    // of a run that failed; nil for a dry run and for one from a tape
	Missing []string // what a run from a tape asked for that is not on it
	// Hidden hides the values of the secrets that the run has read. Logs and Failure are without them already; Result and Effects are as the script made
	// them, for its caller and for what they write: what is kept or shown of them goes through Hidden.
	Hidden *Redactor
}

// Usage is what a run took.
type Usage struct {
	Wall      time.Duration
	CPU       time.Duration
	HostCalls int
}

// Sandbox runs untrusted code outside the server process.
type Sandbox interface {
	// Run runs one attempt. What goes wrong in the script is the Outcome's Failure; an error is a fault of the platform, or ctx's.
	Run(ctx context.Context, run Run) (Outcome, error)
}
