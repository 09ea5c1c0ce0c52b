// Package dryrun runs scripts without committing anything, and says what they would change: each key against its present value.
package dryrun

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/picloud/picloud/internal/picloud"
)

// Runner implements picloud.DryRunner.
type Runner struct {
	Sandbox   picloud.Sandbox
	Endpoints picloud.Endpoints
	Scripts   picloud.Scripts
	KV        picloud.KVReader
	Grants    picloud.Grants
	Tapes     Tapes
}

// Tapes keeps the tapes of dead letters. [picloud.DeadLetters] does.
type Tapes interface {
	// LetterTape gives NotFound "tape_not_found" where no script ran.
	LetterTape(ctx context.Context, appID, id string) (picloud.LetterTape, error)
}

var _ picloud.DryRunner = (*Runner)(nil)

// DryRunLetter implements picloud.DryRunner.
func (r *Runner) DryRunLetter(ctx context.Context, app string, letter picloud.DeadLetter, how picloud.Replay) (picloud.DryResult, error) {
	e, err := r.Endpoints.Endpoint(ctx, app, letter.Script)
	if err != nil {
		return picloud.DryResult{}, fmt.Errorf("find script of dead letter: %w", err)
	}
	if how.Version != 0 {
		e.Version = how.Version
	}
	event := letter.Event
	event.ID, event.Time, event.ReplayOf = newID(), time.Now().UTC(), letter.ID
	if how.Data != nil {
		event.Data = how.Data
	}
	if letter.Kind == picloud.KindMail {
		return resend(letter, event)
	}
	may, err := r.Grants.LetterGrant(ctx, e.App, letter)
	if err != nil {
		return picloud.DryResult{}, fmt.Errorf("find rights of replay: %w", err)
	}
	return r.run(ctx, e, event, may, how.FetchLive, &letter)
}

// resend is what the replay of a mail would do: it runs no script, and sends the mail again.
func resend(letter picloud.DeadLetter, event picloud.Event) (picloud.DryResult, error) {
	var m picloud.Mail
	if err := json.Unmarshal(event.Data, &m); err != nil {
		return picloud.DryResult{}, picloud.InvalidField("data", "is no mail: %v", err)
	}
	now := time.Now().UTC()
	effect := picloud.Effect{Type: picloud.EffectEmailSend, To: m.Recipients(), Subject: m.Subject, Size: len(event.Data)}
	return picloud.DryResult{
		ExecutionID: newID(), Version: letter.Version, Event: event, StartedAt: now, FinishedAt: now, Effects: []picloud.EffectDiff{{Effect: effect}},
		Outcome: picloud.Outcome{Result: picloud.Result{Value: json.RawMessage("null")}, Effects: []picloud.Effect{effect}},
	}, nil
}

// DryRun implements picloud.DryRunner.
func (r *Runner) DryRun(ctx context.Context, e picloud.Endpoint, event picloud.Event, principal string, fetchLive bool) (picloud.DryResult, error) {
	may, err := r.Grants.Grant(ctx, e.App, principal)
	if err != nil {
		return picloud.DryResult{}, fmt.Errorf("find rights of run: %w", err)
	}
	return r.run(ctx, e, event, may, fetchLive, nil)
}

// run runs the event on the endpoint's version, with the rights that the execution would have; letter is nil where it is not the replay of one.
func (r *Runner) run(ctx context.Context, e picloud.Endpoint, event picloud.Event, may *picloud.Grant, fetchLive bool, letter *picloud.DeadLetter) (picloud.DryResult, error) {
	v, err := r.Scripts.Version(ctx, e.App.ID, e.Script, e.Version)
	if err != nil {
		return picloud.DryResult{}, fmt.Errorf("get version: %w", err)
	}
	result := picloud.DryResult{ExecutionID: newID(), Version: v.Version, Event: event, StartedAt: time.Now().UTC()}
	if denied := may.Check(picloud.ScriptInvoke); denied != nil {
		result.Outcome.Failure, result.FinishedAt = denied, result.StartedAt
		return result, nil //nolint:nilerr // the refusal is what the run would end with
	}
	result.Outcome, err = r.Sandbox.Run(ctx, picloud.Run{
		ExecutionID: result.ExecutionID, AppID: e.App.ID, App: e.App.Slug, Script: e.Script, Version: v.Version, Program: v.Program, Limits: v.Limits, Event: event,
		Attempt: 1, DryRun: true, FetchLive: fetchLive, FetchAllow: e.App.FetchAllow, May: may, Time: result.StartedAt, Seed: rand.Int64(), //nolint:gosec // no secret
	})
	if err != nil {
		return picloud.DryResult{}, fmt.Errorf("run script: %w", err)
	}
	result.FinishedAt = time.Now().UTC()
	if result.Outcome.Failure != nil {
		return result, nil //nolint:nilerr // the script failed: that is the result
	}
	if result.Effects, err = r.compare(ctx, e.App.ID, result.Outcome.Effects, letter); err != nil {
		return result, err
	}
	for i, shown := range result.Outcome.Hidden.Effects(result.Outcome.Effects) {
		result.Effects[i].Effect = shown
	}
	return result, nil
}

// compare lays the effects beside what is there now.
func (r *Runner) compare(ctx context.Context, appID string, effects []picloud.Effect, letter *picloud.DeadLetter) ([]picloud.EffectDiff, error) {
	present := map[[2]string]picloud.KVEntry{}
	var tape *picloud.LetterTape
	diffs := make([]picloud.EffectDiff, len(effects))
	for i, effect := range effects {
		diffs[i].Effect = effect
		if effect.Type != picloud.EffectKVSet && effect.Type != picloud.EffectKVDelete {
			continue
		}
		key := [2]string{effect.Collection, effect.Key}
		now, asked := present[key]
		if !asked {
			var err error
			if now, err = r.KV.KVGet(ctx, appID, effect.Collection, effect.Key); err != nil {
				return nil, fmt.Errorf("read present value: %w", err)
			}
			present[key] = now
		}
		there := now.Version != 0
		switch {
		case letter == nil:
		case there:
			diffs[i].ChangedSinceFailure = now.UpdatedAt.After(letter.CreatedAt)
		default: // of a key that is gone the letter's own attempt alone knows that it was there
			var err error
			if tape, err = r.tape(ctx, appID, letter.ID, tape); err != nil {
				return nil, err
			}
			diffs[i].ChangedSinceFailure = tape.Saw(effect.Collection, effect.Key)
		}
		if there {
			diffs[i].Before = now.Value
		}
		if effect.Type == picloud.EffectKVSet {
			diffs[i].Changes = !there || !sameJSON(now.Value, effect.Value)
		} else {
			diffs[i].Changes = there
		}
	}
	return diffs, nil
}

// tape gives the letter's tape, unless it is known; an empty one where it has none.
func (r *Runner) tape(ctx context.Context, appID, letter string, known *picloud.LetterTape) (*picloud.LetterTape, error) {
	if known != nil {
		return known, nil
	}
	t, err := r.Tapes.LetterTape(ctx, appID, letter)
	if err != nil && picloud.AsError(err) == nil {
		return nil, fmt.Errorf("read tape of dead letter: %w", err)
	}
	return &t, nil
}

// sameJSON says whether two JSON texts differ in spaces at most.
func sameJSON(a, b json.RawMessage) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

// newID makes a UUIDv7.
func newID() string { return uuid.Must(uuid.NewV7()).String() }
