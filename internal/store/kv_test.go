package store_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store"
	"github.com/picloud/picloud/internal/testkit"
)

var nobody = picloud.Origin{Principal: "tester"}

func put(t *testing.T, s *store.Store, app picloud.App, collection, key, value string) (picloud.KVEntry, []string) {
	t.Helper()
	entry, fired, err := s.KVPut(t.Context(), app, collection, key, json.RawMessage(value), picloud.Precondition{}, nobody)
	require.NoError(t, err)
	return entry, fired
}

func claim(t *testing.T, s *store.Store) []picloud.Firing {
	t.Helper()
	firings, err := s.ClaimDue(t.Context(), 1000, time.Minute)
	require.NoError(t, err)
	return firings
}

func TestKVChangeFiresEveryMatchingTriggerOnce(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app, other := testkit.App(t, s, "shop"), testkit.App(t, s, "other")
	script := testkit.Script(t, s, app, "fulfil")
	testkit.Script(t, s, other, "fulfil")
	all := testkit.KVTrigger(t, s, app, "all", "fulfil", picloud.KVConfig{Collection: "*"}, nil)
	prefix := testkit.KVTrigger(t, s, app, "prefix", "fulfil", picloud.KVConfig{Collection: "orders:*", Operations: []string{"created"}}, nil)
	testkit.KVTrigger(t, s, app, "elsewhere", "fulfil", picloud.KVConfig{Collection: "orders"}, nil)
	testkit.KVTrigger(t, s, app, "other-key", "fulfil", picloud.KVConfig{Collection: "*", Key: "7*"}, nil)
	testkit.KVTrigger(t, s, other, "all", "fulfil", picloud.KVConfig{Collection: "*"}, nil)

	entry, fired := put(t, s, app, "orders:eu", "42", `{"total": 7}`)
	assert.WithinDuration(t, time.Now(), entry.UpdatedAt, time.Minute)
	require.Len(t, fired, 2)
	firings := claim(t, s)
	require.Len(t, firings, 2)
	byTrigger := map[string]picloud.Firing{}
	for _, f := range firings {
		assert.Contains(t, fired, f.ExecutionID)
		byTrigger[f.TriggerID] = f
	}
	require.Contains(t, byTrigger, all.ID)
	f := byTrigger[prefix.ID]
	assert.Equal(t, picloud.Firing{
		ExecutionID: f.ExecutionID, AppID: app.ID, App: "shop", ScriptID: script.ScriptID, Script: "fulfil", Version: 1, TriggerID: prefix.ID, Trigger: "prefix",
		Kind: picloud.KindKV, EventID: f.EventID, What: "kv orders:eu/42 created", RootID: f.EventID, Depth: 1, MaxDepth: 16,
		Principal: "tester", Wall: 10 * time.Second, Retry: picloud.DefaultRetryPolicy, QueuedAt: f.QueuedAt,
	}, f)
	assert.Equal(t, byTrigger[all.ID].EventID, f.EventID, "one event, two firings")

	opened, err := s.OpenExecution(t.Context(), f)
	require.NoError(t, err)
	assert.Equal(t, "picloud.kv.created", opened.Event.Type)
	assert.Equal(t, "/apps/shop/kv/orders:eu", opened.Event.Source)
	assert.Equal(t, "42", opened.Event.Subject)
	assert.JSONEq(t, fmt.Sprintf(`{"collection":"orders:eu","key":"42","value":{"total":7},"old_value":null,"version":%d}`, entry.Version), string(opened.Event.Data))

	_, fired = put(t, s, app, "orders:eu", "42", `{"total": 8}`)
	assert.Len(t, fired, 1, "an update fires only the trigger that asks for updates")
	fired, err = s.KVDelete(t.Context(), app, "orders:eu", "42", picloud.Precondition{}, nobody)
	require.NoError(t, err)
	assert.Len(t, fired, 1)
	for _, f := range claim(t, s) {
		opened, err := s.OpenExecution(t.Context(), f)
		require.NoError(t, err)
		assert.Contains(t, []string{"picloud.kv.updated", "picloud.kv.deleted"}, opened.Event.Type)
		assert.Contains(t, string(opened.Event.Data), `"old_value" : {"total": `)
	}
}

func TestKVPreconditions(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	first, _ := put(t, s, app, "orders", "42", "1")
	_, _, err := s.KVPut(t.Context(), app, "orders", "42", json.RawMessage("2"), picloud.Precondition{IfAbsent: true}, nobody)
	assert.Equal(t, "precondition_failed", picloud.ErrorCode(err))
	stale := first.Version - 1
	_, _, err = s.KVPut(t.Context(), app, "orders", "42", json.RawMessage("2"), picloud.Precondition{IfVersion: &stale}, nobody)
	assert.Equal(t, "precondition_failed", picloud.ErrorCode(err))
	_, err = s.KVDelete(t.Context(), app, "orders", "42", picloud.Precondition{IfVersion: &stale}, nobody)
	assert.Equal(t, "precondition_failed", picloud.ErrorCode(err))
	second, _, err := s.KVPut(t.Context(), app, "orders", "42", json.RawMessage("2"), picloud.Precondition{IfVersion: &first.Version}, nobody)
	require.NoError(t, err)
	assert.Greater(t, second.Version, first.Version)

	_, err = s.KVDelete(t.Context(), app, "orders", "42", picloud.Precondition{}, nobody)
	require.NoError(t, err)
	_, err = s.KVDelete(t.Context(), app, "orders", "42", picloud.Precondition{}, nobody)
	assert.Equal(t, "key_not_found", picloud.ErrorCode(err))
	again, _, err := s.KVPut(t.Context(), app, "orders", "42", json.RawMessage("3"), picloud.Precondition{IfAbsent: true}, nobody)
	require.NoError(t, err)
	assert.Greater(t, again.Version, second.Version, "a key that is made again is another version")
}

func TestKVListPages(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	for _, key := range []string{"a", "b1", "b2", "bé", "b\U0010FFFF", "c"} {
		put(t, s, app, "letters", key, `"x"`)
	}
	var keys []string
	page := picloud.Page{Limit: 2}
	for {
		list, err := s.KVList(t.Context(), app.ID, "letters", "b", page)
		require.NoError(t, err)
		for _, e := range list.Items {
			keys = append(keys, e.Key)
		}
		if page.Cursor = list.Next; page.Cursor == "" {
			break
		}
	}
	assert.Equal(t, []string{"b1", "b2", "bé", "b\U0010FFFF"}, keys)
}

// The SQL function glob_match is Glob.Match, for any pattern that is a glob.
func TestGlobInSQLIsGlobInGo(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	testkit.Script(t, s, app, "fulfil")
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.StringMatching(`[ab:%_\\é]{1,5}`).Draw(rt, "name")
		glob := rapid.OneOf(rapid.Just("*"), rapid.Just(name), rapid.StringMatching(`[ab:%_\\é]{0,5}\*?`),
			rapid.Custom(func(rt *rapid.T) string {
				r := []rune(name)
				return string(r[:rapid.IntRange(0, len(r)).Draw(rt, "cut")]) + "*"
			})).Draw(rt, "glob")
		if picloud.CheckGlob("config.collection", glob) != nil {
			return
		}
		trigger := testkit.KVTrigger(t, s, app, fmt.Sprintf("t%d", rand.Uint64()), "fulfil", picloud.KVConfig{Collection: picloud.Glob(glob)}, nil)
		_, fired := put(t, s, app, name, "k", "1")
		require.Equal(t, picloud.Glob(glob).Match(name), len(fired) == 1, "glob %q, name %q", glob, name)
		require.NoError(t, s.DeleteTrigger(t.Context(), app.ID, trigger.ID))
	})
}
