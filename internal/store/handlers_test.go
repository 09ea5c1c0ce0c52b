package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store"
	"github.com/picloud/picloud/internal/testkit"
)

var broken = picloud.ScriptError{Reason: picloud.ReasonScriptError, Type: "TypeError", Message: "x is undefined", Stack: "TypeError: x\n    at main (fulfil.ts:3:9)"}

// mourner makes a dead_letter trigger.
func mourner(t *testing.T, s *store.Store, app picloud.App, name string, config picloud.DeadLetterConfig) picloud.Trigger {
	t.Helper()
	return testkit.Trigger(t, s, app, picloud.Trigger{Name: name, Kind: picloud.KindDeadLetter, Script: "handler", DeadLetter: &config})
}

func bury(t *testing.T, s *store.Store, f picloud.Firing, failure picloud.ScriptError) string {
	t.Helper()
	id, err := s.BuryExecution(t.Context(), f, failure, 1, time.Now())
	require.NoError(t, err)
	return id
}

func letterOf(t *testing.T, s *store.Store, app picloud.App, id string) picloud.DeadLetter {
	t.Helper()
	letter, err := s.DeadLetter(t.Context(), app.ID, id)
	require.NoError(t, err)
	return letter
}

func TestLetterFiresTheHandlersThatItMatches(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app, other := testkit.App(t, s, "shop"), testkit.App(t, s, "other")
	script := testkit.Script(t, s, app, "fulfil")
	handler := testkit.Script(t, s, app, "handler")
	testkit.Script(t, s, other, "handler")
	all := mourner(t, s, app, "all", picloud.DeadLetterConfig{})
	some := mourner(t, s, app, "some", picloud.DeadLetterConfig{Script: "ful*", Trigger: "on-order", Reasons: []picloud.Glob{"timeout", "script_e*"}})
	mourner(t, s, app, "reason", picloud.DeadLetterConfig{Reasons: []picloud.Glob{"time*"}})
	mourner(t, s, app, "script", picloud.DeadLetterConfig{Script: "fulfi"})
	mourner(t, s, app, "trigger", picloud.DeadLetterConfig{Trigger: "other"})
	mourner(t, s, other, "other-app", picloud.DeadLetterConfig{})
	f := firing(app, script)
	f.Trigger, f.Depth, f.Event.TraceParent = "on-order", 3, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

	id := bury(t, s, f, broken)
	assert.Equal(t, id, bury(t, s, f, broken), "the second time changes nothing")
	firings := claim(t, s)
	require.Len(t, firings, 2)
	byTrigger := map[string]picloud.Firing{}
	for _, f := range firings {
		byTrigger[f.TriggerID] = f
	}
	require.Contains(t, byTrigger, all.ID)
	h := byTrigger[some.ID]
	assert.Equal(t, picloud.Firing{
		ExecutionID: h.ExecutionID, AppID: app.ID, App: "shop", ScriptID: handler.ScriptID, Script: "handler", Version: 1, TriggerID: some.ID, Trigger: "some",
		Kind: picloud.KindDeadLetter, EventID: h.EventID, What: "dead letter of fulfil: script_error", RootID: f.RootID, ParentID: f.ExecutionID, Depth: 4, MaxDepth: 16,
		Handles: id, Principal: "tester", Wall: 10 * time.Second, Retry: picloud.DefaultRetryPolicy, QueuedAt: h.QueuedAt,
	}, h)
	opened, err := s.OpenExecution(t.Context(), h)
	require.NoError(t, err)
	e := opened.Event
	assert.Equal(t, []string{picloud.TypeDeadLetterCreated, "/apps/shop/dead_letter/fulfil", id, picloud.ExecutionTrace(f.Event.TraceParent, f.ExecutionID)}, []string{e.Type, e.Source, e.Subject, e.TraceParent})
	var data struct {
		ID     string        `json:"id"`
		Reason string        `json:"reason"`
		Event  picloud.Event `json:"event"`
	}
	require.NoError(t, json.Unmarshal(e.Data, &data))
	assert.Equal(t, []string{id, "script_error", f.EventID}, []string{data.ID, data.Reason, data.Event.ID})
	trigger, err := s.Trigger(t.Context(), app.ID, some.ID)
	require.NoError(t, err)
	assert.Equal(t, some.DeadLetter, trigger.DeadLetter)
}

func TestHandlersResolveTheirLetter(t *testing.T) {
	t.Parallel()
	const two = 2
	for name, c := range map[string]struct {
		ends func(t *testing.T, s *store.Store, handlers []picloud.Firing, letter string)
		want picloud.Resolution
	}{
		"one succeeds": {func(t *testing.T, s *store.Store, h []picloud.Firing, _ string) {
			t.Helper()
			_, err := commit(t, s, h[0], picloud.Outcome{})
			require.NoError(t, err)
		}, picloud.HandledByScript},
		"one fails, the other runs": {func(t *testing.T, s *store.Store, h []picloud.Firing, _ string) { t.Helper(); bury(t, s, h[0], broken) }, picloud.Unresolved},
		"one fails twice": {func(t *testing.T, s *store.Store, h []picloud.Firing, _ string) {
			t.Helper()
			bury(t, s, h[0], broken)
			bury(t, s, h[0], broken)
		}, picloud.Unresolved},
		"one fails, then the other succeeds": {func(t *testing.T, s *store.Store, h []picloud.Firing, _ string) {
			t.Helper()
			bury(t, s, h[0], broken)
			_, err := commit(t, s, h[1], picloud.Outcome{Effects: []picloud.Effect{set("handled", "1", "1")}})
			require.NoError(t, err)
		}, picloud.HandledByScript},
		"all fail": {func(t *testing.T, s *store.Store, h []picloud.Firing, _ string) {
			t.Helper()
			for _, f := range h {
				bury(t, s, f, broken)
			}
		}, picloud.HandlerFailed},
		"one fails, one is canceled": {func(t *testing.T, s *store.Store, h []picloud.Firing, _ string) {
			t.Helper()
			bury(t, s, h[0], broken)
			_, err := s.CancelExecution(t.Context(), h[1], time.Now(), nil)
			require.NoError(t, err)
		}, picloud.HandlerFailed},
		"one fails, one is canceled in the queue": {func(t *testing.T, s *store.Store, h []picloud.Firing, _ string) {
			t.Helper()
			bury(t, s, h[0], broken)
			_, err := s.CancelQueued(t.Context(), h[1].AppID, h[1].ExecutionID)
			require.NoError(t, err)
		}, picloud.HandlerFailed},
		"somebody was faster": {func(t *testing.T, s *store.Store, h []picloud.Firing, letter string) {
			t.Helper()
			_, err := s.IgnoreDeadLetter(t.Context(), h[0].AppID, letter, "", "ann")
			require.NoError(t, err)
			_, err = commit(t, s, h[0], picloud.Outcome{})
			require.NoError(t, err)
			bury(t, s, h[1], broken)
		}, picloud.Ignored},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testkit.Store(t)
			app := testkit.App(t, s, "shop")
			script := testkit.Script(t, s, app, "fulfil")
			testkit.Script(t, s, app, "handler")
			mourner(t, s, app, "one", picloud.DeadLetterConfig{})
			mourner(t, s, app, "two", picloud.DeadLetterConfig{})
			id := bury(t, s, firing(app, script), broken)
			handlers := claim(t, s)
			require.Len(t, handlers, two)
			c.ends(t, s, handlers, id)

			letter := letterOf(t, s, app, id)
			assert.Equal(t, c.want, letter.Resolution)
			assert.Equal(t, c.want == picloud.Unresolved, letter.ResolvedAt.IsZero())
			letters, err := s.ListDeadLetters(t.Context(), app.ID, picloud.DeadLetterFilter{}, picloud.Page{})
			require.NoError(t, err)
			assert.Len(t, letters.Items, 1, "handlers leave no letters about themselves")
			if c.want == picloud.HandlerFailed {
				assert.Equal(t, "script handler", letter.ResolvedBy)
				x, err := s.Execution(t.Context(), app.ID, handlers[0].ExecutionID)
				require.NoError(t, err)
				assert.Equal(t, picloud.StatusFailed, x.Status)
				assert.Equal(t, "TypeError", x.Error.Type)
				_, err = s.ReplayDeadLetter(t.Context(), app.ID, id, picloud.Replay{Principal: "ann"})
				assert.Equal(t, "already_resolved", picloud.ErrorCode(err))
				_, err = s.ReplayDeadLetter(t.Context(), app.ID, id, picloud.Replay{Again: true, Principal: "ann"})
				assert.NoError(t, err)
			}
		})
	}
}

// A chain that is cut for its depth is handled once; what its handler fires is cut too, and that letter stays.
func TestHandlersAtTheDepthLimitComeToAnEnd(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	script := testkit.Script(t, s, app, "fulfil")
	testkit.Script(t, s, app, "handler")
	testkit.KVTrigger(t, s, app, "on-log", "fulfil", picloud.KVConfig{Collection: "log"}, nil)
	mourner(t, s, app, "all", picloud.DeadLetterConfig{})
	tooDeep := picloud.ScriptError{Reason: picloud.ReasonDepthExceeded, Type: "DepthExceeded"}
	f := firing(app, script)
	f.Depth = f.MaxDepth + 1
	bury(t, s, f, tooDeep)
	handler := claim(t, s)
	require.Len(t, handler, 1)
	assert.Equal(t, f.MaxDepth, handler[0].Depth, "it may run")
	_, err := commit(t, s, handler[0], picloud.Outcome{Effects: []picloud.Effect{set("log", "1", "1")}})
	require.NoError(t, err)
	for _, fired := range claim(t, s) {
		if fired.ExecutionID != handler[0].ExecutionID {
			assert.Equal(t, f.MaxDepth+1, fired.Depth)
			bury(t, s, fired, tooDeep)
		}
	}
	require.NoError(t, s.RescheduleFirings(t.Context(), []string{handler[0].ExecutionID}, time.Hour))
	for _, fired := range claim(t, s) {
		assert.NotEqual(t, picloud.KindDeadLetter, fired.Kind)
	}
	n, err := s.CountUnresolved(t.Context(), app.ID)
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)
}
