package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/testkit"
)

func TestDispatchersNeverClaimTheSameFiring(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	testkit.Script(t, s, app, "fulfil")
	testkit.KVTrigger(t, s, app, "on-order", "fulfil", picloud.KVConfig{Collection: "*"}, nil)
	const firings = 200
	for i := range firings {
		put(t, s, app, "orders", fmt.Sprint(i), "1")
	}
	var mutex sync.Mutex
	claimed := map[string]int{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				batch, err := s.ClaimDue(t.Context(), 7, time.Hour)
				if !assert.NoError(t, err) || len(batch) == 0 {
					return
				}
				mutex.Lock()
				for _, f := range batch {
					claimed[f.ExecutionID]++
				}
				mutex.Unlock()
			}
		})
	}
	wg.Wait()
	assert.Len(t, claimed, firings)
	for id, n := range claimed {
		assert.Equal(t, 1, n, id)
	}
}

// What a process has claimed comes due again when it is no more, and not for as long as it lives.
func TestClaimsEndWithTheirProcess(t *testing.T) {
	t.Parallel()
	database := testkit.Database(t)
	dying, next := testkit.StoreAt(t, database), testkit.StoreAt(t, database)
	app := testkit.App(t, next, "shop")
	testkit.Script(t, next, app, "fulfil")
	testkit.KVTrigger(t, next, app, "on-order", "fulfil", picloud.KVConfig{Collection: "*"}, nil)
	testkit.Trigger(t, next, app, picloud.Trigger{
		Name: "in-lane", Kind: picloud.KindKV, Script: "fulfil", KV: &picloud.KVConfig{Collection: "*"}, Flow: &picloud.Flow{Concurrency: &picloud.FlowConcurrency{Limit: 1}},
	})
	put(t, next, app, "orders", "1", "1")
	leave, _ := attend(t, dying)
	claimed, err := dying.ClaimDue(t.Context(), 10, time.Hour)
	require.NoError(t, err)
	require.Len(t, claimed, 2, "one of them from a lane")
	reclaim := func() int {
		t.Helper()
		n, err := next.ReclaimFirings(t.Context())
		require.NoError(t, err)
		return n
	}
	assert.Zero(t, reclaim(), "it lives")
	assert.Empty(t, claim(t, next))
	leave()
	testkit.Until(t, time.Minute, "the database has seen it go", func() bool { return reclaim() == 2 })
	assert.ElementsMatch(t, claimed, claim(t, next), "the same, an hour before the lease ends")
	assert.Zero(t, reclaim(), "its own are its own, though it does not attend")
	again, err := dying.ReclaimFirings(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, again)
	assert.Len(t, claim(t, next), 2)
	require.NoError(t, next.RescheduleFirings(t.Context(), []string{claimed[0].ExecutionID, claimed[1].ExecutionID}, time.Hour))
	again, err = dying.ReclaimFirings(t.Context())
	require.NoError(t, err)
	assert.Zero(t, again, "what was handed back is nobody's")
	assert.Empty(t, claim(t, next))
}

func TestClaimIsALease(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	testkit.Script(t, s, app, "fulfil")
	testkit.KVTrigger(t, s, app, "on-order", "fulfil", picloud.KVConfig{Collection: "*"}, nil)
	put(t, s, app, "orders", "1", "1")
	first, err := s.ClaimDue(t.Context(), 10, time.Minute)
	require.NoError(t, err)
	require.Len(t, first, 1)
	assert.Empty(t, claim(t, s), "leased")
	in, waiting, err := s.NextDue(t.Context())
	require.NoError(t, err)
	assert.True(t, waiting)
	assert.InDelta(t, time.Minute.Seconds(), in.Seconds(), 30)

	id := first[0].ExecutionID
	require.NoError(t, s.RescheduleFirings(t.Context(), []string{id}, 0))
	assert.Equal(t, first, claim(t, s), "due again, and the same")
	require.NoError(t, s.DeleteFirings(t.Context(), []string{id}))
	require.NoError(t, s.RescheduleFirings(t.Context(), []string{id}, 0))
	assert.Empty(t, claim(t, s))
	_, waiting, err = s.NextDue(t.Context())
	require.NoError(t, err)
	assert.False(t, waiting)
}

func TestFiringsKeepTheirVersionFromTheirClaim(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	testkit.Script(t, s, app, "fulfil", "one")
	retry := picloud.RetryPolicy{MaximumAttempts: 7, InitialInterval: time.Second, BackoffCoefficient: 3, MaximumInterval: time.Minute, NonRetryableErrors: []string{"E"}}
	testkit.KVTrigger(t, s, app, "on-order", "fulfil", picloud.KVConfig{Collection: "*"}, &retry)
	put(t, s, app, "orders", "1", "1")
	testkit.Script(t, s, app, "fulfil", "two")
	firings := claim(t, s)
	require.Len(t, firings, 1)
	assert.Equal(t, 2, firings[0].Version)
	assert.Equal(t, retry, firings[0].Retry)
}

func TestListenersWakeAtCommit(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	testkit.Script(t, s, app, "fulfil")
	testkit.KVTrigger(t, s, app, "on-order", "fulfil", picloud.KVConfig{Collection: "orders"}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	woken := make(chan struct{}, 100)
	ended := make(chan error, 1)
	go func() { ended <- s.Listen(ctx, func() { woken <- struct{}{} }) }()
	wait := func() {
		select {
		case <-woken:
		case <-time.After(10 * time.Second):
			t.Fatal("not woken")
		}
	}
	wait() // it listens
	put(t, s, app, "orders", "1", "1")
	wait()
	assert.Len(t, claim(t, s), 1)
	put(t, s, app, "elsewhere", "1", "1")
	assert.Empty(t, woken, "nothing fired, nobody woken")
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
}

func TestQueuedAndFinishedAreOneList(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	script := testkit.Script(t, s, app, "fulfil")
	trigger := testkit.KVTrigger(t, s, app, "on-order", "fulfil", picloud.KVConfig{Collection: "*"}, nil)
	var want []string
	for i := range 5 {
		f := firing(app, script)
		_, err := commit(t, s, f, picloud.Outcome{Effects: []picloud.Effect{set("orders", fmt.Sprint(i), "1")}})
		require.NoError(t, err)
		want = append(want, f.ExecutionID)
	}
	var got []string
	statuses := map[picloud.Status]int{}
	page := picloud.Page{Limit: 3}
	for {
		list, err := s.ListExecutions(t.Context(), app.ID, picloud.ExecutionFilter{}, page)
		require.NoError(t, err)
		for _, x := range list.Items {
			got = append(got, x.ID)
			statuses[x.Status]++
		}
		if page.Cursor = list.Next; page.Cursor == "" {
			break
		}
	}
	assert.IsDecreasing(t, got, "newest first, none twice")
	assert.Subset(t, got, want)
	assert.Equal(t, map[picloud.Status]int{picloud.StatusQueued: 5, picloud.StatusSucceeded: 5}, statuses)
	for name, c := range map[string]struct {
		filter picloud.ExecutionFilter
		want   int
	}{
		"status":     {picloud.ExecutionFilter{Status: picloud.StatusQueued}, 5},
		"trigger":    {picloud.ExecutionFilter{Trigger: "on-order"}, 5},
		"trigger id": {picloud.ExecutionFilter{Trigger: trigger.ID}, 5},
		"kind":       {picloud.ExecutionFilter{Kind: picloud.KindHTTP}, 5},
		"script":     {picloud.ExecutionFilter{Script: "fulfil"}, 10},
		"no script":  {picloud.ExecutionFilter{Script: "other"}, 0},
		"since":      {picloud.ExecutionFilter{Since: time.Now().Add(time.Hour)}, 0},
	} {
		list, err := s.ListExecutions(t.Context(), app.ID, c.filter, picloud.Page{})
		require.NoError(t, err, name)
		assert.Len(t, list.Items, c.want, name)
	}
	root, err := s.Execution(t.Context(), app.ID, want[0])
	require.NoError(t, err)
	list, err := s.ListExecutions(t.Context(), app.ID, picloud.ExecutionFilter{Root: root.RootID}, picloud.Page{})
	require.NoError(t, err)
	assert.Len(t, list.Items, 2, "the call and the firing of its effect")
	queued, err := s.Execution(t.Context(), app.ID, list.Items[0].ID)
	require.NoError(t, err)
	assert.Equal(t, picloud.StatusQueued, queued.Status)
	assert.Equal(t, "picloud.kv.created", queued.Event.Type)
}

func TestPartitionsAreMadeAndDropped(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	require.NoError(t, s.MaintainPartitions(t.Context()))
	require.NoError(t, s.MaintainPartitions(t.Context()), "may be repeated")
	require.NoError(t, s.CollectGarbage(t.Context()))
	app := testkit.App(t, s, "shop")
	f := firing(app, testkit.Script(t, s, app, "fulfil"))
	_, err := commit(t, s, f, picloud.Outcome{})
	require.NoError(t, err)
	list, err := s.ListExecutions(t.Context(), app.ID, picloud.ExecutionFilter{}, picloud.Page{})
	require.NoError(t, err)
	assert.Len(t, list.Items, 1, "today is not dropped")
}

func TestAttachedKeysGiveTheFirstExecution(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	one, two := newID(), newID()
	first, attached, err := s.Attach(t.Context(), app.ID, "k", one)
	require.NoError(t, err)
	assert.False(t, attached)
	assert.Equal(t, one, first)
	first, attached, err = s.Attach(t.Context(), app.ID, "k", two)
	require.NoError(t, err)
	assert.True(t, attached)
	assert.Equal(t, one, first)
}

func TestCanceledInTheQueueItNeverRuns(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	testkit.Script(t, s, app, "fulfil")
	testkit.KVTrigger(t, s, app, "on-order", "fulfil", picloud.KVConfig{Collection: "*"}, nil)
	put(t, s, app, "orders", "1", "1")
	f := claim(t, s)[0] // a dispatcher has it, and is about to start its workflow
	x, err := s.CancelQueued(t.Context(), app.ID, f.ExecutionID)
	require.NoError(t, err)
	assert.Equal(t, picloud.StatusCanceled, x.Status)
	assert.Equal(t, "on-order", x.Trigger)
	opened, err := s.OpenExecution(t.Context(), f)
	require.NoError(t, err)
	require.NotNil(t, opened.Committed, "the attempt finds the end")
	assert.Equal(t, picloud.StatusCanceled, opened.Committed.Status)
	_, err = s.CancelQueued(t.Context(), app.ID, f.ExecutionID)
	assert.Equal(t, "execution_not_found", picloud.ErrorCode(err))
}

// The backlog of one app, in lanes and beside them, keeps no other app's firing out of the next claim, nor from its head.
func TestAppsTakeTurns(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	noisy, quiet := testkit.App(t, s, "noisy"), testkit.App(t, s, "quiet")
	for _, app := range []picloud.App{noisy, quiet} {
		testkit.Script(t, s, app, "fulfil")
		testkit.KVTrigger(t, s, app, "on-order", "fulfil", picloud.KVConfig{Collection: "*"}, nil)
	}
	consumer(t, s, noisy, "mailer", "mail", 0)
	for i := range 50 {
		put(t, s, noisy, "orders", fmt.Sprint(i), "1")
		send(t, s, noisy, picloud.QueueMessage{Queue: "mail", Priority: 100})
	}
	_, late := put(t, s, quiet, "orders", "late", "1")
	require.Len(t, late, 1)
	first, err := s.ClaimDue(t.Context(), 4, time.Minute)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(first), 2)
	assert.Contains(t, ids(first[:2]), late[0])
}
