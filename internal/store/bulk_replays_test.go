package store_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store"
	"github.com/picloud/picloud/internal/testkit"
)

// letters buries so many executions of a script.
func letters(t *testing.T, s *store.Store, app picloud.App, script picloud.ScriptVersion, n int) []string {
	t.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = bury(t, s, firing(app, script), broken)
	}
	return ids
}

func bulk(t *testing.T, s *store.Store, app picloud.App, request picloud.BulkRequest) picloud.BulkReplay {
	t.Helper()
	b, err := s.CreateBulkReplay(t.Context(), app, request, "ann", "")
	require.NoError(t, err)
	return b
}

func replayPage(t *testing.T, s *store.Store, b picloud.BulkReplay, after string, limit int) picloud.BulkReplay {
	t.Helper()
	b, err := s.ReplayPage(t.Context(), b.ID, after, limit)
	require.NoError(t, err)
	return b
}

// replayAll replays all pages.
func replayAll(t *testing.T, s *store.Store, b picloud.BulkReplay) picloud.BulkReplay {
	t.Helper()
	for b.Status == picloud.BulkRunning {
		b = replayPage(t, s, b, b.After, 3)
	}
	return b
}

func TestBulkReplayTakesEachLetterOnce(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app, other := testkit.App(t, s, "shop"), testkit.App(t, s, "other")
	script := testkit.Script(t, s, app, "fulfil")
	letters(t, s, other, testkit.Script(t, s, other, "fulfil"), 1)
	ids := letters(t, s, app, script, 7)
	_, err := s.IgnoreDeadLetter(t.Context(), app.ID, ids[0], "", "bob")
	require.NoError(t, err)

	b := bulk(t, s, app, picloud.BulkRequest{Filter: &picloud.BulkFilter{}})
	late := letters(t, s, app, script, 1)[0]
	assert.Equal(t, []any{picloud.BulkRunning, int64(6), "shop", "ann"}, []any{b.Status, b.Total, b.App, b.Principal})
	first := replayPage(t, s, b, "", 3)
	assert.EqualValues(t, 3, first.Replayed)
	assert.Equal(t, first, replayPage(t, s, b, "", 3), "the same page again changes nothing")
	_, err = s.IgnoreDeadLetter(t.Context(), app.ID, ids[6], "", "bob") // somebody is faster
	require.NoError(t, err)
	b = replayAll(t, s, first)
	assert.Equal(t, []any{picloud.BulkCompleted, int64(6), int64(5), int64(1)}, []any{b.Status, b.Total, b.Replayed, b.Skipped})
	assert.False(t, b.FinishedAt.IsZero())
	assert.Equal(t, b, replayPage(t, s, b, b.After, 3), "what has ended does nothing")

	firings := claim(t, s)
	require.Len(t, firings, 5)
	for _, f := range firings {
		letter := letterOf(t, s, app, f.ReplayOf)
		assert.Equal(t, []string{f.ExecutionID, "replayed", "ann"}, []string{letter.ReplayExecutionID, string(letter.Resolution), letter.ResolvedBy})
		opened, err := s.OpenExecution(t.Context(), f)
		require.NoError(t, err)
		assert.Equal(t, []any{letter.ID, letter.RootID, string(letter.Event.Data)}, []any{opened.Event.ReplayOf, opened.Event.RootID, string(opened.Event.Data)})
	}
	assert.Equal(t, picloud.Unresolved, letterOf(t, s, app, late).Resolution, "it came after the call")
	again := replayAll(t, s, bulk(t, s, app, picloud.BulkRequest{IDs: ids}))
	assert.Equal(t, []int64{7, 0, 7}, []int64{again.Total, again.Replayed, again.Skipped}, "the same letters again: nothing twice")
	assert.Empty(t, claim(t, s))
}

func TestBulkReplayByFilter(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	script, other := testkit.Script(t, s, app, "fulfil", "one", "two"), testkit.Script(t, s, app, "other")
	letters(t, s, app, script, 2)
	letters(t, s, app, other, 3)
	for name, c := range map[string]struct {
		filter  picloud.BulkFilter
		version int
		want    []int64 // total, replayed, skipped
	}{
		"another reason":           {picloud.BulkFilter{Reason: picloud.ReasonTimeout}, 0, []int64{0, 0, 0}},
		"another cause":            {picloud.BulkFilter{Fingerprint: "x"}, 0, []int64{0, 0, 0}},
		"handlers have not failed": {picloud.BulkFilter{HandlerFailed: true}, 0, []int64{0, 0, 0}},
		"a version that one has":   {picloud.BulkFilter{}, 2, []int64{5, 2, 3}},
	} {
		b := replayAll(t, s, bulk(t, s, app, picloud.BulkRequest{Filter: &c.filter, Version: c.version}))
		assert.Equal(t, c.want, []int64{b.Total, b.Replayed, b.Skipped}, name)
	}
	for _, f := range claim(t, s) {
		assert.Equal(t, 2, f.Version)
	}
	require.NoError(t, s.DeleteScript(t.Context(), app.ID, "other"))
	b := replayAll(t, s, bulk(t, s, app, picloud.BulkRequest{Filter: &picloud.BulkFilter{Script: "other"}}))
	assert.Equal(t, []int64{3, 0, 3}, []int64{b.Total, b.Replayed, b.Skipped}, "the script is gone")
}

func TestCanceledBulkReplayStops(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app, other := testkit.App(t, s, "shop"), testkit.App(t, s, "other")
	letters(t, s, app, testkit.Script(t, s, app, "fulfil"), 5)
	b := bulk(t, s, app, picloud.BulkRequest{Filter: &picloud.BulkFilter{}})
	running, err := s.RunningBulkReplays(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []picloud.BulkReplay{b}, running)
	b = replayPage(t, s, b, "", 2)
	_, err = s.CancelBulkReplay(t.Context(), other.ID, b.ID)
	assert.Equal(t, "bulk_replay_not_found", picloud.ErrorCode(err))
	canceled, err := s.CancelBulkReplay(t.Context(), app.ID, b.ID)
	require.NoError(t, err)
	assert.Equal(t, []any{picloud.BulkCanceled, int64(2), int64(0)}, []any{canceled.Status, canceled.Replayed, canceled.Skipped})
	assert.Equal(t, canceled, replayPage(t, s, b, b.After, 2))
	assert.Len(t, claim(t, s), 2)
	again, err := s.CancelBulkReplay(t.Context(), app.ID, b.ID)
	require.NoError(t, err)
	assert.Equal(t, canceled, again)
	running, err = s.RunningBulkReplays(t.Context())
	require.NoError(t, err)
	assert.Empty(t, running)
	rest := replayAll(t, s, bulk(t, s, app, picloud.BulkRequest{Filter: &picloud.BulkFilter{}}))
	assert.EqualValues(t, 3, rest.Replayed)
	_, err = s.CancelBulkReplay(t.Context(), app.ID, rest.ID)
	assert.Equal(t, "already_finished", picloud.ErrorCode(err))
	list, err := s.ListBulkReplays(t.Context(), app.ID, picloud.Page{Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, []picloud.BulkReplay{rest}, list.Items)
	assert.Equal(t, rest.ID, list.Next)
}

func TestBulkReplayOfAKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	request := picloud.BulkRequest{Filter: &picloud.BulkFilter{Script: "a"}, Rate: 2}
	first, err := s.CreateBulkReplay(t.Context(), app, request, "ann", "key")
	require.NoError(t, err)
	again, err := s.CreateBulkReplay(t.Context(), app, request, "bob", "key")
	require.NoError(t, err)
	assert.Equal(t, first, again)
	_, err = s.CreateBulkReplay(t.Context(), app, picloud.BulkRequest{Filter: &picloud.BulkFilter{}}, "ann", "key")
	assert.Equal(t, "idempotency_key_reused", picloud.ErrorCode(err))
}

func TestDryPagesAreReportedOnce(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	ids := letters(t, s, app, testkit.Script(t, s, app, "fulfil"), 3)
	b := bulk(t, s, app, picloud.BulkRequest{Filter: &picloud.BulkFilter{}, DryRun: true})
	_, page, err := s.DryPage(t.Context(), b.ID, "", 2)
	require.NoError(t, err)
	require.Len(t, page, 2)
	diff := picloud.EffectDiff{Effect: set("c", "k", "1"), Before: []byte("0"), Changes: true, ChangedSinceFailure: true}
	passes := picloud.DryLetter{DeadLetterID: page[0].ID, Outcome: picloud.DryPass, Effects: []picloud.EffectDiff{diff}, EffectsTotal: 7, ChangedKeys: []string{"c/k"}}
	fails := picloud.DryLetter{DeadLetterID: page[1].ID, Outcome: picloud.DryFail, Error: &broken}
	report := picloud.BulkReport{
		Pass: 1, Fail: 1, KeysChangedSince: 1, Failing: []picloud.BulkSample{{DeadLetterID: page[1].ID, Error: &broken}}, Changed: []picloud.BulkSample{{DeadLetterID: page[0].ID, Keys: []string{"c/k"}}},
	}
	for range 2 {
		b, err = s.ReportPage(t.Context(), b.ID, "", []picloud.DryLetter{passes, fails})
		require.NoError(t, err)
		assert.Equal(t, []any{int64(2), &report}, []any{b.Replayed, b.Report})
	}
	_, page, err = s.DryPage(t.Context(), b.ID, "", 2)
	require.NoError(t, err)
	assert.Nil(t, page, "it was reported")
	_, page, err = s.DryPage(t.Context(), b.ID, b.After, 2)
	require.NoError(t, err)
	require.Len(t, page, 1)
	skipped := picloud.DryLetter{DeadLetterID: page[0].ID, Outcome: picloud.DrySkipped, Error: &picloud.ScriptError{Type: "version_not_found", Message: "no"}}
	b, err = s.ReportPage(t.Context(), b.ID, b.After, []picloud.DryLetter{skipped})
	require.NoError(t, err)
	b, err = s.ReportPage(t.Context(), b.ID, b.After, nil)
	require.NoError(t, err)
	found := func(filter picloud.DryFilter, page picloud.Page) picloud.List[picloud.DryLetter] {
		t.Helper()
		list, err := s.ListDryLetters(t.Context(), app.ID, b.ID, filter, page)
		require.NoError(t, err)
		return list
	}
	assert.Equal(t, []picloud.DryLetter{passes, fails, skipped}, found(picloud.DryFilter{}, picloud.Page{}).Items)
	first := found(picloud.DryFilter{}, picloud.Page{Limit: 2})
	assert.Equal(t, []picloud.DryLetter{passes, fails}, first.Items)
	assert.Equal(t, []picloud.DryLetter{skipped}, found(picloud.DryFilter{}, picloud.Page{Cursor: first.Next}).Items)
	assert.Equal(t, []picloud.DryLetter{fails}, found(picloud.DryFilter{Outcome: picloud.DryFail}, picloud.Page{}).Items)
	assert.Equal(t, []picloud.DryLetter{passes}, found(picloud.DryFilter{Changed: true}, picloud.Page{}).Items)
	wet := bulk(t, s, app, picloud.BulkRequest{Filter: &picloud.BulkFilter{Script: "none"}})
	_, err = s.ListDryLetters(t.Context(), app.ID, wet.ID, picloud.DryFilter{}, picloud.Page{})
	assert.Equal(t, "no_dry_run", picloud.ErrorCode(err))
	assert.Equal(t, []any{picloud.BulkCompleted, int64(3), int64(2), int64(1)}, []any{b.Status, b.Total, b.Replayed, b.Skipped})
	assert.Empty(t, claim(t, s))
	assert.Equal(t, picloud.Unresolved, letterOf(t, s, app, ids[0]).Resolution)
}
