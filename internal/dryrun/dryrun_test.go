package dryrun_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/activities/activitiestest"
	"github.com/picloud/picloud/internal/dryrun"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestEffectsStandBesideThePresentValues(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	script := testkit.Script(t, s, app, "fulfil", "one", "two")
	put := func(key, value string) {
		t.Helper()
		_, _, err := s.KVPut(t.Context(), app, "c", key, json.RawMessage(value), picloud.Precondition{}, picloud.Origin{Principal: "tester"})
		require.NoError(t, err)
	}
	put("same", `{"a": 1}`)
	put("old", `1`)
	put("gone", `1`)
	event := picloud.Event{SpecVersion: "1.0", ID: script.ScriptID, Data: json.RawMessage(`{"n":1}`), RootID: script.ScriptID, Depth: 2}
	f := picloud.Firing{
		ExecutionID: script.ScriptID, AppID: app.ID, App: "shop", ScriptID: script.ScriptID, Script: "fulfil", Version: 1, Kind: picloud.KindKV, EventID: event.ID, Event: &event,
		RootID: event.RootID, Depth: 2, MaxDepth: 16, Principal: "tester", QueuedAt: time.Now(),
	}
	failure := picloud.ScriptError{Reason: picloud.ReasonScriptError, Type: "Error"}
	require.NoError(t, s.RecordAttempt(t.Context(), f, picloud.Attempt{
		Attempt: 1, Error: &failure, StartedAt: time.Now(), FinishedAt: time.Now(), Clock: time.Now(), Seed: 1,
		Tape: &picloud.Tape{Calls: []picloud.TapeCall{{What: "kv.get c/seen", At: 1, Order: 1, Body: "1"}, {What: "kv.get c/new", At: 2, Order: 2}}},
	}))
	id, err := s.BuryExecution(t.Context(), f, failure, 1, time.Now())
	require.NoError(t, err)
	letter, err := s.DeadLetter(t.Context(), app.ID, id)
	require.NoError(t, err)
	put("old", `2`)

	set := func(key, value string) picloud.Effect {
		return picloud.Effect{Type: picloud.EffectKVSet, Collection: "c", Key: key, Value: json.RawMessage(value)}
	}
	remove := func(key string) picloud.Effect {
		return picloud.Effect{Type: picloud.EffectKVDelete, Collection: "c", Key: key}
	}
	publish := picloud.Effect{Type: picloud.EffectTopicPublish, Topic: "t", Value: json.RawMessage(`1`)}
	effects := []picloud.Effect{set("same", `{"a":1}`), set("old", `3`), set("new", `4`), remove("gone"), remove("never"), set("seen", `5`), publish}
	outcome := picloud.Outcome{Result: picloud.Result{Value: json.RawMessage(`1`)}, Effects: effects}
	sandbox := &activitiestest.Sandbox{Script: activitiestest.Gives(outcome)}
	r := &dryrun.Runner{Sandbox: sandbox, Endpoints: s, Scripts: s, KV: s, Grants: s, Tapes: s}
	result, err := r.DryRunLetter(t.Context(), "shop", letter, picloud.Replay{Data: json.RawMessage(`{"n":2}`), FetchLive: true})
	require.NoError(t, err)
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	assert.Equal(t, []picloud.EffectDiff{
		{Effect: effects[0], Before: raw(`{"a": 1}`)},
		{Effect: effects[1], Before: raw(`2`), Changes: true, ChangedSinceFailure: true},
		{Effect: effects[2], Changes: true},
		{Effect: effects[3], Before: raw(`1`), Changes: true},
		{Effect: effects[4]},
		{Effect: effects[5], Changes: true, ChangedSinceFailure: true}, // the letter's attempt had read it
		{Effect: publish},
	}, result.Effects)
	run := sandbox.Runs()[0]
	assert.True(t, run.DryRun)
	assert.True(t, run.FetchLive)
	assert.Equal(t, []any{2, "two", `{"n":2}`, letter.ID, 2}, []any{run.Version, string(run.Program.Code), string(run.Event.Data), run.Event.ReplayOf, run.Event.Depth})

	_, err = r.DryRunLetter(t.Context(), "shop", letter, picloud.Replay{Version: 9})
	assert.Equal(t, "version_not_found", picloud.ErrorCode(err))
	sandbox.Script = activitiestest.Throws(picloud.ScriptError{Type: "TypeError"})
	result, err = r.DryRunLetter(t.Context(), "shop", letter, picloud.Replay{Version: 1})
	require.NoError(t, err)
	assert.Equal(t, "TypeError", result.Outcome.Failure.Type)
	assert.Equal(t, "one", string(sandbox.Runs()[1].Program.Code))

	// It runs with the rights that the replay would have: those of the principal that the letter's execution ran as.
	assert.Equal(t, &picloud.Grant{Principal: "tester", App: "shop", Scopes: picloud.Scopes{picloud.ScopeInstanceAdmin}}, run.May)
	nobody := letter
	nobody.Principal = "nobody"
	result, err = r.DryRunLetter(t.Context(), "shop", nobody, picloud.Replay{})
	require.NoError(t, err)
	assert.Equal(t, picloud.ReasonPermissionDenied, result.Outcome.Failure.Reason)
	assert.Len(t, sandbox.Runs(), 2, "nothing runs")
	endpoint, err := s.Endpoint(t.Context(), "shop", "fulfil")
	require.NoError(t, err)
	result, err = r.DryRun(t.Context(), endpoint, event, "nobody", false)
	require.NoError(t, err)
	assert.Equal(t, picloud.ReasonPermissionDenied, result.Outcome.Failure.Reason)
	after, err := s.DeadLetter(t.Context(), app.ID, id)
	require.NoError(t, err)
	assert.Equal(t, letter, after, "nothing is kept")
}
