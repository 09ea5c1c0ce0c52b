package store_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store"
	"github.com/picloud/picloud/internal/testkit"
)

// thrownAt is an error thrown at a line of fulfil.ts, whose message depends on the payload.
func thrownAt(line, payload int) picloud.ScriptError {
	message := fmt.Sprintf("order %d is broken", payload)
	return picloud.ScriptError{
		Reason: picloud.ReasonScriptError, Type: "TypeError", Message: message, Stack: fmt.Sprintf("TypeError: %s\n    at main (fulfil.ts:%d:9)", message, line),
	}
}

func groupsOf(t *testing.T, s *store.Store, app picloud.App, filter picloud.DeadLetterFilter) []picloud.DeadLetterGroup {
	t.Helper()
	groups, more, err := s.GroupDeadLetters(t.Context(), app.ID, filter, 100)
	require.NoError(t, err)
	require.False(t, more)
	return groups
}

func TestLettersGroupByCause(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app, other := testkit.App(t, s, "shop"), testkit.App(t, s, "other")
	script := testkit.Script(t, s, app, "fulfil")
	bury(t, s, firing(other, testkit.Script(t, s, other, "fulfil")), thrownAt(3, 0))
	var first, last []string
	for i := range 3 {
		first = append(first, bury(t, s, firing(app, script), thrownAt(3, i)))
	}
	for i := range 2 {
		last = append(last, bury(t, s, firing(app, script), thrownAt(8, i)))
	}
	unresolved := picloud.Unresolved
	all := picloud.DeadLetterFilter{Resolution: &unresolved}
	groups := groupsOf(t, s, app, all)
	require.Len(t, groups, 2)
	assert.Equal(t, []int64{3, 2}, []int64{groups[0].Count, groups[1].Count})
	assert.Equal(t, []string{slices.Max(first), slices.Max(last)}, []string{groups[0].Sample.ID, groups[1].Sample.ID})
	oldest, newest := letterOf(t, s, app, first[0]), letterOf(t, s, app, first[2])
	assert.Equal(t, []time.Time{oldest.CreatedAt, newest.CreatedAt}, []time.Time{groups[0].FirstSeen, groups[0].LastSeen})
	assert.Equal(t, letterOf(t, s, app, slices.Max(first)), groups[0].Sample)

	_, err := s.IgnoreDeadLetter(t.Context(), app.ID, first[0], "", "tester")
	require.NoError(t, err)
	assert.EqualValues(t, 2, groupsOf(t, s, app, all)[0].Count)
	one, more, err := s.GroupDeadLetters(t.Context(), app.ID, all, 1)
	require.NoError(t, err)
	assert.True(t, more)
	assert.Len(t, one, 1)
	assert.Len(t, groupsOf(t, s, app, picloud.DeadLetterFilter{Fingerprint: groups[1].Fingerprint}), 1)
	assert.Empty(t, groupsOf(t, s, app, picloud.DeadLetterFilter{Reason: picloud.ReasonTimeout}))
	assert.Empty(t, groupsOf(t, s, app, picloud.DeadLetterFilter{Script: "other"}))
	assert.Empty(t, groupsOf(t, s, app, picloud.DeadLetterFilter{Trigger: "other"}))
	assert.Empty(t, groupsOf(t, s, app, picloud.DeadLetterFilter{Until: oldest.CreatedAt.Add(-time.Second)}))
	assert.Empty(t, groupsOf(t, s, app, picloud.DeadLetterFilter{Since: newest.CreatedAt.Add(time.Minute)}))
}

func TestFailedReplayLeavesALetterOfItsOwn(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	script := testkit.Script(t, s, app, "fulfil")
	old := bury(t, s, firing(app, script), broken)
	execution, err := s.ReplayDeadLetter(t.Context(), app.ID, old, picloud.Replay{Principal: "ann"})
	require.NoError(t, err)
	replays := claim(t, s)
	require.Len(t, replays, 1)
	assert.Equal(t, []string{execution, old}, []string{replays[0].ExecutionID, replays[0].ReplayOf})
	letter := letterOf(t, s, app, bury(t, s, replays[0], broken))
	assert.Equal(t, old, letter.ReplayOf)
	assert.Equal(t, picloud.Unresolved, letter.Resolution)
	replayed := letterOf(t, s, app, old)
	assert.Equal(t, []string{"replayed", "ann", execution}, []string{string(replayed.Resolution), replayed.ResolvedBy, replayed.ReplayExecutionID})

	_, err = s.IgnoreDeadLetter(t.Context(), app.ID, old, "", "bob")
	require.ErrorContains(t, err, "replayed by ann")
	assert.Equal(t, "already_resolved", picloud.ErrorCode(err))
	_, err = s.ReplayDeadLetter(t.Context(), app.ID, old, picloud.Replay{Principal: "bob"})
	assert.Equal(t, "already_resolved", picloud.ErrorCode(err))
	_, err = s.ReplayDeadLetter(t.Context(), app.ID, old, picloud.Replay{Principal: "bob", Again: true})
	require.NoError(t, err)
}

// The tape of the last attempt goes with the letter; a letter of which no script ran has none.
func TestLetterKeepsTheTapeOfItsLastAttempt(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app, other := testkit.App(t, s, "shop"), testkit.App(t, s, "other")
	f := firing(app, testkit.Script(t, s, app, "fulfil"))
	clock := time.Date(2026, 5, 6, 7, 8, 9, 123456000, time.UTC)
	for n := 1; n <= 2; n++ {
		require.NoError(t, s.RecordAttempt(t.Context(), f, picloud.Attempt{
			Attempt: n, Error: &broken, StartedAt: clock, FinishedAt: clock, Clock: clock, Seed: int64(-n),
			Tape: &picloud.Tape{Secrets: []string{"token"}, Calls: []picloud.TapeCall{{What: fmt.Sprintf("kv.get orders/%d", n), At: 7, Order: 1, Body: "\x00ä"}}},
		}))
	}
	id := bury(t, s, f, broken)
	tape, err := s.LetterTape(t.Context(), app.ID, id)
	require.NoError(t, err)
	assert.Equal(t, []any{2, clock, int64(-2), "kv.get orders/2", "\x00ä"}, []any{tape.Attempt, tape.Clock, tape.Seed, tape.Calls[0].What, tape.Calls[0].Body})
	_, err = s.LetterTape(t.Context(), other.ID, id)
	assert.Equal(t, "dead_letter_not_found", picloud.ErrorCode(err))
	_, err = s.LetterTape(t.Context(), app.ID, bury(t, s, firing(app, testkit.Script(t, s, app, "two")), broken))
	assert.Equal(t, "tape_not_found", picloud.ErrorCode(err))
}

// age makes rows older; the column of the table is their time.
func age(t *testing.T, url, table, column, id string, days int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context()) //nolint:errcheck // the test is over
	_, err = conn.Exec(t.Context(), fmt.Sprintf("UPDATE %[1]s SET %[2]s = %[2]s - $1 * interval '1 day' WHERE id = $2", table, column), days, id)
	require.NoError(t, err)
}

// Resolved letters go after their retention, counted from their resolution; unresolved ones after their own, and they are counted.
func TestOldLettersGo(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	s := testkit.StoreAt(t, url)
	app := testkit.App(t, s, "shop")
	script := testkit.Script(t, s, app, "fulfil")
	ids := letters(t, s, app, script, 5)
	for _, id := range ids[:2] {
		_, err := s.IgnoreDeadLetter(t.Context(), app.ID, id, "", "ann")
		require.NoError(t, err)
	}
	age(t, url, "dead_letters", "created_at", ids[0], 100)
	age(t, url, "dead_letters", "resolved_at", ids[1], 31)
	age(t, url, "dead_letters", "created_at", ids[2], 100)
	age(t, url, "dead_letters", "created_at", ids[3], 181)
	old := replayAll(t, s, bulk(t, s, app, picloud.BulkRequest{Filter: &picloud.BulkFilter{Script: "none"}}))
	age(t, url, "bulk_replays", "finished_at", old.ID, 31)
	for range 2 {
		require.NoError(t, s.CollectGarbage(t.Context()))
		list, err := s.ListDeadLetters(t.Context(), app.ID, picloud.DeadLetterFilter{}, picloud.Page{})
		require.NoError(t, err)
		left := []string{}
		for _, l := range list.Items {
			left = append(left, l.ID)
		}
		assert.ElementsMatch(t, []string{ids[0], ids[2], ids[4]}, left)
		dropped, err := s.CountDropped(t.Context(), app.ID)
		require.NoError(t, err)
		assert.EqualValues(t, 1, dropped)
		_, err = s.BulkReplay(t.Context(), app.ID, old.ID)
		assert.Equal(t, "bulk_replay_not_found", picloud.ErrorCode(err))
	}
}

// Who resolved a letter, and how, is in the audit log: one line a request, one a page of a bulk replay, one for a handler.
func TestResolutionsAreAudited(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	script := testkit.Script(t, s, app, "fulfil")
	testkit.Script(t, s, app, "handler")
	ids := letters(t, s, app, script, 4)
	asked := func(action string) context.Context {
		ctx, _ := picloud.WithAudit(t.Context(), picloud.AuditEntry{Principal: "ann", Action: action, App: "shop", Outcome: picloud.AuditDone})
		return ctx
	}
	execution, err := s.ReplayDeadLetter(asked("replayDeadLetter"), app.ID, ids[0], picloud.Replay{Principal: "ann"})
	require.NoError(t, err)
	_, err = s.IgnoreDeadLetter(asked("ignoreDeadLetter"), app.ID, ids[1], "known", "ann")
	require.NoError(t, err)
	b, err := s.CreateBulkReplay(asked("replayDeadLetters"), app, picloud.BulkRequest{IDs: ids[2:3]}, "ann", "")
	require.NoError(t, err)
	replayAll(t, s, b)
	mourner(t, s, app, "mourn", picloud.DeadLetterConfig{})
	mourned := bury(t, s, firing(app, script), broken)
	for _, f := range claim(t, s) {
		if f.Handles != "" {
			_, err := commit(t, s, f, picloud.Outcome{})
			require.NoError(t, err)
		}
	}
	log, err := s.ListAudit(t.Context(), picloud.AuditFilter{App: "shop"}, picloud.Page{})
	require.NoError(t, err)
	after := map[string]string{}
	for _, e := range log.Items {
		after[e.Action+" "+e.TargetID] += string(e.After)
	}
	assert.JSONEq(t, `{"resolution":"replayed","resolved_by":"ann","replay_execution_id":"`+execution+`"}`, after["replayDeadLetter "+ids[0]])
	assert.JSONEq(t, `{"resolution":"ignored","resolved_by":"ann","note":"known"}`, after["ignoreDeadLetter "+ids[1]])
	assert.Contains(t, after["replayDeadLetters "+b.ID], `"`+ids[2]+`"`)
	assert.JSONEq(t, `{"resolution":"handled_by_script","resolved_by":"script handler"}`, after["handleDeadLetter "+mourned])
}

// manyLetters makes copies of a letter, of so many causes.
func manyLetters(t testing.TB, url, letter string, letters, causes int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context()) //nolint:errcheck // the test is over
	_, err = conn.Exec(t.Context(), `INSERT INTO dead_letters (id, app_id, execution_id, script_id, script, version, trigger_id, trigger, kind, reason, error, event,
		attempts, depth, root_id, parent_id, fingerprint, principal)
		SELECT uuid_v7(), app_id, uuid_v7(), script_id, script, version, trigger_id, trigger, kind, reason, error, event, attempts, depth, root_id, parent_id,
		left(md5((n % $2)::text), 16), principal FROM dead_letters, generate_series(1, $3) AS n WHERE id = $1`, letter, causes, letters)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "ANALYZE dead_letters")
	require.NoError(t, err)
}

// The figures that are printed: a page of the list, and the groups, of 10,000 letters.
func TestTenThousandLettersAreListedAndGrouped(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	s := testkit.StoreAt(t, url)
	app := testkit.App(t, s, "shop")
	letter := bury(t, s, firing(app, testkit.Script(t, s, app, "fulfil")), broken)
	const letters, causes = 10_000, 37
	manyLetters(t, url, letter, letters, causes)
	unresolved := picloud.Unresolved
	filter := picloud.DeadLetterFilter{Resolution: &unresolved}
	took := func(what string, call func()) {
		call() // the connections are made, the plans too
		began := time.Now()
		call()
		t.Logf("%s of %d letters: %s", what, letters, time.Since(began).Round(100*time.Microsecond))
	}
	took("groups", func() { require.Len(t, groupsOf(t, s, app, filter), causes+1) })
	took("a page", func() {
		list, err := s.ListDeadLetters(t.Context(), app.ID, filter, picloud.Page{Limit: 50})
		require.NoError(t, err)
		require.Len(t, list.Items, 50)
	})
	took("a page by a filter that matches one letter", func() {
		list, err := s.ListDeadLetters(t.Context(), app.ID, picloud.DeadLetterFilter{Fingerprint: broken.Fingerprint("fulfil")}, picloud.Page{Limit: 50})
		require.NoError(t, err)
		require.Len(t, list.Items, 1)
	})
	took("the count", func() {
		n, err := s.CountUnresolved(t.Context(), app.ID)
		require.NoError(t, err)
		require.EqualValues(t, letters+1, n)
	})
}
