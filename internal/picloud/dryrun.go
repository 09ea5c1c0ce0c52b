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
	Before              json.RawMessage `json:"before,omitempty"`                // the present value; nil = there is no such key
	Changes             bool            `json:"changes,omitempty"`               // the value would be another
	ChangedSinceFailure bool            `json:"changed_since_failure,omitempty"` // somebody has changed the key since the letter's execution failed
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
	// DryRun runs an event on the version of the endpoint, as the principal. With fetchLive, ctx.fetch reaches the outside.
	DryRun(ctx context.Context, e Endpoint, event Event, principal string, fetchLive bool) (DryResult, error)
}

// Grants says what executions that are not there yet may do.
type Grants interface {
	// Grant gives what an execution of the app may do that runs as the principal.
	Grant(ctx context.Context, app App, principal string) (*Grant, error)
	// LetterGrant gives what the replay of a letter may do. Conflict "script_missing".
	LetterGrant(ctx context.Context, app App, letter DeadLetter) (*Grant, error)
}

// DryOutcome is what a dry run found of a letter.
type DryOutcome string

// The outcomes.
const (
	DryPass    DryOutcome = "pass"
	DryFail    DryOutcome = "fail"
	DrySkipped DryOutcome = "skipped" // its script is gone, or has no such version: its replay would be skipped too
)

// MaxDryEffectBytes bounds what is kept of the effects of one letter, as JSON.
const MaxDryEffectBytes = 16 << 10

// DryLetter is what a dry run of many letters found of one.
type DryLetter struct {
	DeadLetterID string
	Outcome      DryOutcome
	Error        *ScriptError // why it would fail, or is skipped
	Effects      []EffectDiff // that it would have; the first ones where there is no room for all
	EffectsTotal int
	ChangedKeys  []string // "collection/key" of those that it changes and that have changed since it died, at most MaxBulkSamples
}

// DryLetterOf makes what is kept of the dry run of a letter.
func DryLetterOf(id string, result DryResult) DryLetter {
	l := DryLetter{DeadLetterID: id, Outcome: DryPass}
	if l.Error = result.Outcome.Failure; l.Error != nil {
		l.Outcome = DryFail
		return l
	}
	l.EffectsTotal = len(result.Effects)
	room := MaxDryEffectBytes
	for _, e := range result.Effects {
		if e.ChangedSinceFailure && len(l.ChangedKeys) < MaxBulkSamples {
			l.ChangedKeys = append(l.ChangedKeys, e.Collection+"/"+e.Key)
		}
		e.Effect = e.Kept()
		text, err := json.Marshal(e)
		if room -= len(text); err == nil && room >= 0 {
			l.Effects = append(l.Effects, e)
		}
	}
	return l
}
