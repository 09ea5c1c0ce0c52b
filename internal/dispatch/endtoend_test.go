package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/activities"
	"github.com/picloud/picloud/activities/activitiestest"
	"github.com/picloud/picloud/internal/dispatch"
	"github.com/picloud/picloud/internal/engine"
	"github.com/picloud/picloud/internal/engine/enginetest"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store"
	"github.com/picloud/picloud/internal/testkit"
	"github.com/picloud/picloud/worker"
)

// platform is an app with a script and a kv trigger, on a real database and a real Temporal, with workers; only the scripts are Go.
type platform struct {
	store   *store.Store
	engine  *engine.Engine
	inbox   *dispatch.Inbox
	sandbox *activitiestest.Sandbox
	app     picloud.App
	script  picloud.ScriptVersion
}

func newPlatform(t *testing.T, script activitiestest.Script) *platform {
	t.Helper()
	data := testkit.Store(t)
	p := &platform{
		store: data, engine: enginetest.New(t, enginetest.Namespace(t)), inbox: dispatch.NewInbox(data.Process()), sandbox: &activitiestest.Sandbox{Script: script},
	}
	p.app = testkit.App(t, p.store, "shop")
	p.script = testkit.Script(t, p.store, p.app, "fulfil")
	retry := picloud.DefaultRetryPolicy
	retry.InitialInterval, retry.MaximumAttempts = 10*time.Millisecond, 2
	testkit.KVTrigger(t, p.store, p.app, "on-order", "fulfil", picloud.KVConfig{Collection: "orders"}, &retry)
	w := worker.New(p.engine.Client(), &activities.Activities{
		Journal: p.store, Sandbox: p.sandbox, Inbox: p.inbox, Keeper: p.store,
	}, worker.Options{StopTimeout: 5 * time.Second})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	return p
}

// fire changes n keys and gives the ids of the executions that the changes fire.
func (p *platform) fire(t *testing.T, n int) []string {
	t.Helper()
	var fired []string
	for i := range n {
		_, ids, err := p.store.KVPut(t.Context(), p.app, "orders", fmt.Sprint(i), json.RawMessage(`{"total":1}`), picloud.Precondition{}, picloud.Origin{Principal: "tester"})
		require.NoError(t, err)
		fired = append(fired, ids...)
	}
	require.Len(t, fired, n)
	return fired
}

// ends waits until the executions have ended, and checks how.
func (p *platform) ends(t *testing.T, ids []string, status picloud.Status) {
	t.Helper()
	for _, id := range ids {
		testkit.Eventually(t, 30*time.Second, func() error {
			x, err := p.store.Execution(t.Context(), p.app.ID, id)
			if err == nil && x.Status != status {
				err = fmt.Errorf("execution is %s", x.Status)
			}
			return err
		})
	}
}

// runs counts the runs of each execution.
func (p *platform) runs() map[string]int {
	runs := map[string]int{}
	for _, r := range p.sandbox.Runs() {
		runs[r.ExecutionID]++
	}
	return runs
}

func TestOutboxRowsBecomeExecutions(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, activitiestest.Returns(`{"ok":true}`))
	start(t, p.store, p.engine, dispatch.Options{})
	fired := p.fire(t, 50)
	p.ends(t, fired, picloud.StatusSucceeded)
	for _, id := range fired {
		assert.Equal(t, 1, p.runs()[id], id)
		require.NoError(t, p.engine.Await(t.Context(), id))
	}
	testkit.Eventually(t, soon, func() error {
		if _, left, err := p.store.NextDue(t.Context()); err != nil || left {
			return fmt.Errorf("outbox is not empty: %w", err)
		}
		return nil
	})
	x, err := p.store.Execution(t.Context(), p.app.ID, fired[0])
	require.NoError(t, err)
	assert.JSONEq(t, `{"ok":true}`, string(x.Result.Value))
}

func TestExhaustedFiringLeavesALetter(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, activitiestest.Throws(picloud.ScriptError{Reason: picloud.ReasonScriptError, Type: "TypeError", Message: "no"}))
	start(t, p.store, p.engine, dispatch.Options{})
	fired := p.fire(t, 1)
	p.ends(t, fired, picloud.StatusDeadLettered)
	letters, err := p.store.ListDeadLetters(t.Context(), p.app.ID, picloud.DeadLetterFilter{}, picloud.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, letters.Items, 1)
	assert.Equal(t, fired[0], letters.Items[0].ExecutionID)
	assert.Equal(t, 2, letters.Items[0].Attempts)
	attempts, err := p.store.Attempts(t.Context(), fired[0])
	require.NoError(t, err)
	assert.Len(t, attempts, 2)
}

// forgetful is an outbox whose dispatcher dies before it deletes what it has started.
type forgetful struct{ picloud.Dispatching }

func (forgetful) DeleteFirings(ctx context.Context, _ []string) error { return errDown }

func TestDispatcherThatDiesBetweenStartAndDelete(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, activitiestest.Returns(`1`))
	fired := p.fire(t, 10) // fewer than what waits to be deleted may be: else it starts no more
	dying := dispatch.New(forgetful{p.store}, p.engine, testkit.SilentLog(), dispatch.Options{Lease: time.Second})
	require.NoError(t, dying.Start(t.Context()))
	p.ends(t, fired, picloud.StatusSucceeded)
	dying.Stop()
	_, left, err := p.store.NextDue(t.Context())
	require.NoError(t, err)
	require.True(t, left, "the rows are still there")

	start(t, p.store, p.engine, dispatch.Options{})
	testkit.Until(t, soon, "outbox is empty", func() bool {
		_, left, err := p.store.NextDue(t.Context())
		return err == nil && !left
	})
	for _, id := range fired {
		require.NoError(t, p.engine.Await(t.Context(), id))
		assert.Equal(t, 1, p.runs()[id], "executed once")
	}
}

func TestTwoDispatchersShareTheOutbox(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, activitiestest.Returns(`1`))
	start(t, p.store, p.engine, dispatch.Options{Batch: 5})
	start(t, p.store, p.engine, dispatch.Options{Batch: 5})
	fired := p.fire(t, 60)
	p.ends(t, fired, picloud.StatusSucceeded)
	for id, n := range p.runs() {
		assert.Equal(t, 1, n, id)
	}
}

func TestWaitingCallerIsAnsweredAtTheCommit(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, activitiestest.Returns(`{"answer":42}`))
	f := p.direct()
	address, delivery, done := p.inbox.Open(f.ExecutionID)
	defer done()
	f.ReplyTo = address
	require.NoError(t, p.engine.Start(t.Context(), f))
	select {
	case d := <-delivery:
		assert.Equal(t, picloud.StatusSucceeded, d.Status)
		assert.JSONEq(t, `{"answer":42}`, string(d.Result.Value))
	case <-time.After(soon):
		t.Fatal("no answer")
	}
}

func TestAppDeletedDuringTheRun(t *testing.T) {
	t.Parallel()
	var p *platform
	p = newPlatform(t, func(ctx context.Context, _ picloud.Run) (picloud.Outcome, error) {
		return picloud.Outcome{}, p.store.DeleteApp(ctx, "shop")
	})
	f := p.direct()
	require.NoError(t, p.engine.Start(t.Context(), f))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	require.NoError(t, p.engine.Await(ctx, f.ExecutionID), "the workflow ends although there is no place for its end")
}

// direct is the firing of a direct call of the script.
func (p *platform) direct() picloud.Firing {
	id := newID()
	event := picloud.Event{SpecVersion: "1.0", ID: newID(), Source: "/apps/shop/http/fulfil", Type: picloud.TypeHTTPRequest, Time: time.Now(), Depth: 1}
	event.RootID = event.ID
	return picloud.Firing{
		ExecutionID: id, AppID: p.app.ID, App: p.app.Slug, ScriptID: p.script.ScriptID, Script: "fulfil", Version: p.script.Version,
		Kind: picloud.KindHTTP, EventID: event.ID, Event: &event, What: "http GET /", RootID: event.ID, Depth: 1, MaxDepth: 16,
		Principal: "tester", Wall: time.Second, QueuedAt: time.Now(), Retry: picloud.DefaultRetryPolicy,
	}
}
