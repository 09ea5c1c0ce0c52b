package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store"
	"github.com/picloud/picloud/internal/testkit"
)

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// firing makes the firing of a direct call.
func firing(app picloud.App, script picloud.ScriptVersion) picloud.Firing {
	event := &picloud.Event{
		SpecVersion: "1.0", ID: newID(), Type: picloud.TypeHTTPRequest, Source: "/apps/" + app.Slug + "/http/" + script.Script, Subject: "/",
		Time: time.Now().UTC(), Data: json.RawMessage(`{"method":"GET"}`), Depth: 1,
	}
	event.RootID = event.ID
	return picloud.Firing{
		ExecutionID: newID(), AppID: app.ID, App: app.Slug, ScriptID: script.ScriptID, Script: script.Script, Version: script.Version,
		Kind: picloud.KindHTTP, EventID: event.ID, Event: event, What: "http GET /", RootID: event.ID, Depth: 1, MaxDepth: 16, Principal: "tester",
		Retry: picloud.DefaultRetryPolicy, QueuedAt: time.Now().UTC(),
	}
}

func commit(t *testing.T, s *store.Store, f picloud.Firing, o picloud.Outcome) (picloud.Committed, error) {
	t.Helper()
	return s.CommitExecution(t.Context(), f, picloud.Commit{Status: picloud.StatusSucceeded, Outcome: o, Attempt: 1, StartedAt: time.Now()})
}

func set(collection, key, value string) picloud.Effect {
	return picloud.Effect{Type: picloud.EffectKVSet, Collection: collection, Key: key, Value: json.RawMessage(value)}
}

func TestCommitWritesEffectsAndFiresOnce(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	script := testkit.Script(t, s, app, "fulfil")
	testkit.KVTrigger(t, s, app, "on-order", "fulfil", picloud.KVConfig{Collection: "orders"}, nil)
	f := firing(app, script)
	outcome := picloud.Outcome{
		Result: picloud.Result{Value: json.RawMessage(`{"ok":true}`)}, Logs: []picloud.LogLine{{Time: time.Now().UTC(), Level: "info", Message: "hi"}},
		Effects: []picloud.Effect{set("orders", "1", "1"), set("orders", "1", "2"), set("orders", "gone", "1"), {Type: picloud.EffectKVDelete, Collection: "orders", Key: "gone"}},
	}
	first, err := commit(t, s, f, outcome)
	require.NoError(t, err)
	outcome.Result.Value = json.RawMessage(`{"ok":"another run"}`)
	second, err := commit(t, s, f, outcome)
	require.NoError(t, err)
	assert.Equal(t, first, second, "the second run answers with the stored result")
	opened, err := s.OpenExecution(t.Context(), f)
	require.NoError(t, err)
	assert.Equal(t, &first, opened.Committed)

	firings := claim(t, s)
	require.Len(t, firings, 1, "one change of one key, however often it was written")
	assert.Equal(t, 2, firings[0].Depth)
	assert.Equal(t, f.RootID, firings[0].RootID)
	assert.Equal(t, f.ExecutionID, firings[0].ParentID)
	entry, err := s.KVGet(t.Context(), app.ID, "orders", "1")
	require.NoError(t, err)
	assert.JSONEq(t, "2", string(entry.Value))

	x, err := s.Execution(t.Context(), app.ID, f.ExecutionID)
	require.NoError(t, err)
	assert.Equal(t, picloud.StatusSucceeded, x.Status)
	assert.Len(t, x.Effects, 4)
	assert.Equal(t, "hi", x.Logs[0].Message)
	require.NotNil(t, x.Event)
	assert.Equal(t, f.Event.ID, x.Event.ID)
}

func TestCommitRefusesAChangedReadSet(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	script := testkit.Script(t, s, app, "fulfil")
	one, _ := put(t, s, app, "orders", "1", "1")
	two, _ := put(t, s, app, "orders", "2", "1")
	list := func(limit int, seen ...picloud.KVEntry) picloud.ReadSet {
		read := picloud.ListRead{Collection: "orders", Page: picloud.Page{Limit: limit}}
		for _, e := range seen {
			read.Seen = append(read.Seen, picloud.KeyRead{Collection: "orders", Key: e.Key, Version: e.Version})
		}
		return picloud.ReadSet{Lists: []picloud.ListRead{read}}
	}
	key := func(key string, version int64) picloud.ReadSet {
		return picloud.ReadSet{Keys: []picloud.KeyRead{{Collection: "orders", Key: key, Version: version}}}
	}
	for name, c := range map[string]struct {
		reads picloud.ReadSet
		want  error
	}{
		"same version":           {key("1", one.Version), nil},
		"other version":          {key("1", one.Version+1000), picloud.ErrReadSetChanged},
		"still absent":           {key("3", 0), nil},
		"absent then, there now": {key("2", 0), picloud.ErrReadSetChanged},
		"there then, absent now": {key("3", 7), picloud.ErrReadSetChanged},
		"same list":              {list(10, one, two), nil},
		"full page":              {list(1, one), nil},
		"list with a new key":    {list(10, one), picloud.ErrReadSetChanged},
		"list with a gone key":   {list(10, one, two, picloud.KVEntry{Key: "3", Version: 9}), picloud.ErrReadSetChanged},
	} {
		t.Run(name, func(t *testing.T) {
			f := firing(app, script)
			_, err := commit(t, s, f, picloud.Outcome{Reads: c.reads, Effects: []picloud.Effect{set("seen", f.ExecutionID, "1")}})
			require.ErrorIs(t, err, c.want)
			entry, err := s.KVGet(t.Context(), app.ID, "seen", f.ExecutionID)
			require.NoError(t, err)
			assert.Equal(t, c.want == nil, entry.Version != 0, "a refused commit writes nothing")
			_, err = s.Execution(t.Context(), app.ID, f.ExecutionID)
			assert.Equal(t, c.want == nil, err == nil)
		})
	}
}

// Scripts that read, add one and write are serializable: no increment is lost, by key and by list, with another process at it too.
func TestConcurrentIncrementsAreAllKept(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t, func(o *store.Options) { o.MaxConnections = 8 })
	app := testkit.App(t, s, "shop")
	script := testkit.Script(t, s, app, "count")
	const workers, each = 8, 10
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				f := firing(app, script)
				for {
					entry, err := s.KVGet(t.Context(), app.ID, "counters", "n")
					if !assert.NoError(t, err) {
						return
					}
					n, _ := strconv.Atoi(string(entry.Value))
					list, err := s.KVList(t.Context(), app.ID, "log", "", picloud.Page{Limit: 500})
					if !assert.NoError(t, err) {
						return
					}
					reads := picloud.ReadSet{Keys: []picloud.KeyRead{{Collection: "counters", Key: "n", Version: entry.Version}}}
					effects := []picloud.Effect{set("counters", "n", strconv.Itoa(n+1))}
					if w%2 == 0 {
						read := picloud.ListRead{Collection: "log", Page: picloud.Page{Limit: 500}}
						for _, e := range list.Items {
							read.Seen = append(read.Seen, picloud.KeyRead{Collection: "log", Key: e.Key, Version: e.Version})
						}
						reads.Lists = append(reads.Lists, read)
						effects = append(effects, set("log", fmt.Sprintf("%04d", len(list.Items)), "1"))
					}
					_, err = commit(t, s, f, picloud.Outcome{Reads: reads, Effects: effects})
					if errors.Is(err, picloud.ErrReadSetChanged) {
						continue
					}
					if !assert.NoError(t, err, "worker %d, round %d", w, i) {
						return
					}
					break
				}
			}
		})
	}
	wg.Go(func() { // writers from outside, into the list that scripts read
		for i := range each {
			_, _, err := s.KVPut(t.Context(), app, "log", fmt.Sprintf("outside-%d", i), json.RawMessage("1"), picloud.Precondition{}, nobody)
			assert.NoError(t, err)
		}
	})
	wg.Wait()
	entry, err := s.KVGet(t.Context(), app.ID, "counters", "n")
	require.NoError(t, err)
	assert.Equal(t, strconv.Itoa(workers*each), string(entry.Value))
	list, err := s.KVList(t.Context(), app.ID, "log", "", picloud.Page{Limit: 500})
	require.NoError(t, err)
	assert.Len(t, list.Items, workers/2*each+each, "every list reader saw all that was there")
}

func TestBuryThenReplayOnce(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	script := testkit.Script(t, s, app, "fulfil", "one", "two")
	testkit.KVTrigger(t, s, app, "on-order", "fulfil", picloud.KVConfig{Collection: "orders"}, nil)
	put(t, s, app, "orders", "42", "1")
	f := claim(t, s)[0]
	require.NoError(t, s.DeleteFirings(t.Context(), []string{f.ExecutionID}))
	require.NoError(t, s.RecordAttempt(t.Context(), f, picloud.Attempt{Attempt: 1, Error: &picloud.ScriptError{Type: "TypeError"}, StartedAt: time.Now(), FinishedAt: time.Now()}))
	failure := picloud.ScriptError{Reason: picloud.ReasonScriptError, Type: "TypeError", Message: "x is undefined", Stack: "TypeError: x\n    at main (fulfil.ts:3:9)"}
	id, err := s.BuryExecution(t.Context(), f, failure, 1, time.Now())
	require.NoError(t, err)
	again, err := s.BuryExecution(t.Context(), f, failure, 1, time.Now())
	require.NoError(t, err)
	assert.Equal(t, id, again)

	letter, err := s.DeadLetter(t.Context(), app.ID, id)
	require.NoError(t, err)
	assert.Equal(t, failure, letter.Error)
	assert.Equal(t, "42", letter.Event.Subject)
	assert.Equal(t, script.Version, letter.Version)
	n, err := s.CountUnresolved(t.Context(), app.ID)
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)

	_, err = s.ReplayDeadLetter(t.Context(), app.ID, id, picloud.Replay{Version: 9, Principal: "ann"})
	assert.Equal(t, "version_not_found", picloud.ErrorCode(err))
	replay, err := s.ReplayDeadLetter(t.Context(), app.ID, id, picloud.Replay{Version: 1, Data: []byte(`{"edited":true}`), Principal: "ann"})
	require.NoError(t, err)
	_, err = s.ReplayDeadLetter(t.Context(), app.ID, id, picloud.Replay{Principal: "ann"})
	assert.Equal(t, "already_resolved", picloud.ErrorCode(err))
	_, err = s.IgnoreDeadLetter(t.Context(), app.ID, id, "", "ann")
	assert.Equal(t, "already_resolved", picloud.ErrorCode(err))

	firings := claim(t, s)
	require.Len(t, firings, 1)
	assert.Equal(t, replay, firings[0].ExecutionID)
	assert.Equal(t, id, firings[0].ReplayOf)
	assert.Equal(t, 1, firings[0].Version)
	assert.Equal(t, "tester", firings[0].Principal, "a replay runs as the trigger's principal")
	opened, err := s.OpenExecution(t.Context(), firings[0])
	require.NoError(t, err)
	assert.JSONEq(t, `{"edited":true}`, string(opened.Event.Data))
	assert.Equal(t, id, opened.Event.ReplayOf)
	letter, err = s.DeadLetter(t.Context(), app.ID, id)
	require.NoError(t, err)
	assert.Equal(t, picloud.Replayed, letter.Resolution)
	assert.Equal(t, replay, letter.ReplayExecutionID)
	assert.Equal(t, "ann", letter.ResolvedBy)
	_, err = s.ReplayDeadLetter(t.Context(), app.ID, id, picloud.Replay{Again: true, Principal: "ann"})
	require.NoError(t, err)
	n, err = s.CountUnresolved(t.Context(), app.ID)
	require.NoError(t, err)
	assert.Zero(t, n)
}

func TestScriptAndAppThatGoDuringARun(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	script := testkit.Script(t, s, app, "fulfil")
	f := firing(app, script)
	_, err := s.OpenExecution(t.Context(), f)
	require.NoError(t, err)
	require.NoError(t, s.DeleteScript(t.Context(), app.ID, "fulfil"))
	_, err = s.OpenExecution(t.Context(), f)
	require.ErrorIs(t, err, picloud.ErrScriptMissing)
	require.NoError(t, s.DeleteApp(t.Context(), "shop"))
	_, err = commit(t, s, f, picloud.Outcome{Effects: []picloud.Effect{set("orders", "1", "1")}})
	require.ErrorIs(t, err, picloud.ErrScriptMissing)
	id, err := s.BuryExecution(t.Context(), f, picloud.ScriptError{Reason: picloud.ReasonScriptMissing}, 1, time.Now())
	require.NoError(t, err)
	assert.Empty(t, id, "there is no app to keep a letter for")
}

func TestEventPastItsRetentionIsAnErrorThatEnds(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	f := firing(app, testkit.Script(t, s, app, "fulfil"))
	f.Event = nil
	_, err := s.OpenExecution(t.Context(), f)
	e, ok := errors.AsType[*picloud.ScriptError](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, picloud.ReasonExpired, e.Reason)
}
