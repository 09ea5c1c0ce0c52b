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
	return r.run(ctx, e, event, how.FetchLive, letter.CreatedAt)
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
func (r *Runner) DryRun(ctx context.Context, e picloud.Endpoint, event picloud.Event, fetchLive bool) (picloud.DryResult, error) {
	return r.run(ctx, e, event, fetchLive, time.Time{})
}

// run runs the event on the endpoint's version; failed is when the letter's execution had failed, zero without a letter.
func (r *Runner) run(ctx context.Context, e picloud.Endpoint, event picloud.Event, fetchLive bool, failed time.Time) (picloud.DryResult, error) {
	v, err := r.Scripts.Version(ctx, e.App.ID, e.Script, e.Version)
	if err != nil {
		return picloud.DryResult{}, fmt.Errorf("get version: %w", err)
	}
	result := picloud.DryResult{ExecutionID: newID(), Version: v.Version, Event: event, StartedAt: time.Now().UTC()}
	result.Outcome, err = r.Sandbox.Run(ctx, picloud.Run{
		ExecutionID: result.ExecutionID, AppID: e.App.ID, App: e.App.Slug, Script: e.Script, Version: v.Version, Program: v.Program, Limits: v.Limits, Event: event,
		Attempt: 1, DryRun: true, FetchLive: fetchLive, FetchAllow: e.App.FetchAllow, Time: result.StartedAt, Seed: rand.Int64(), //nolint:gosec // no secret
	})
	if err != nil {
		return picloud.DryResult{}, fmt.Errorf("run script: %w", err)
	}
	result.FinishedAt = time.Now().UTC()
	if result.Outcome.Failure != nil {
		return result, nil //nolint:nilerr // the script failed: that is the result
	}
	if result.Effects, err = r.compare(ctx, e.App.ID, result.Outcome.Effects, failed); err != nil {
		return result, err
	}
	for i, shown := range result.Outcome.Hidden.Effects(result.Outcome.Effects) {
		result.Effects[i].Effect = shown
	}
	return result, nil
}

// compare lays the effects beside what is there now.
func (r *Runner) compare(ctx context.Context, appID string, effects []picloud.Effect, failed time.Time) ([]picloud.EffectDiff, error) {
	present := map[[2]string]picloud.KVEntry{}
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
		diffs[i].ChangedSinceFailure = there && !failed.IsZero() && now.UpdatedAt.After(failed)
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

// sameJSON says whether two JSON texts differ in spaces at most.
func sameJSON(a, b json.RawMessage) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

// newID makes a UUIDv7.
func newID() string { return uuid.Must(uuid.NewV7()).String() }
