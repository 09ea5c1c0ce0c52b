package picloud

import (
	"context"
	"encoding/json"
	"time"
)

// EffectDiff is an effect that a dry run would have, beside what is there now.
type EffectDiff struct {
	Effect

	// The rest is of kv effects.
	Before              json.RawMessage // the present value; nil = there is no such key
	Changes             bool            // the value would be another
	ChangedSinceFailure bool            // somebody has changed the key since the letter's execution failed
}

// DryResult is a run that committed nothing.
type DryResult struct {
	ExecutionID string // as the script saw it: there is no such execution
	Version     int
	Event       Event
	Outcome     Outcome
	Effects     []EffectDiff // empty where it failed
	StartedAt   time.Time
	FinishedAt  time.Time
}

// DryRunner runs scripts without committing anything. NotFound "app_not_found", "script_not_found", "version_not_found".
type DryRunner interface {
	// DryRunLetter runs a letter of the app with that slug as its replay would run.
	DryRunLetter(ctx context.Context, app string, letter DeadLetter, r Replay) (DryResult, error)
	// DryRun runs an event on the version of the endpoint. With fetchLive, ctx.fetch reaches the outside.
	DryRun(ctx context.Context, e Endpoint, event Event, fetchLive bool) (DryResult, error)
}
