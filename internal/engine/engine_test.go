package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/picloud/picloud/activities"
	"github.com/picloud/picloud/activities/activitiestest"
	"github.com/picloud/picloud/internal/engine"
	"github.com/picloud/picloud/internal/engine/enginetest"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/testkit"
	"github.com/picloud/picloud/worker"
	"github.com/picloud/picloud/workflows"
)

const soon = 20 * time.Second

var shop = picloud.App{ID: "app-1", Slug: "shop"}

func firing(change ...func(*picloud.Firing)) picloud.Firing {
	f := picloud.Firing{
		ExecutionID: testkit.Unique("x"), AppID: shop.ID, App: shop.Slug, ScriptID: "s", Script: "fulfil", Version: 3, TriggerID: triggerID,
		Trigger: "on-order", Kind: picloud.KindKV, EventID: "e", What: "kv orders/42 created", RootID: "root-1", ParentID: "parent-1", Depth: 2,
		MaxDepth: 16, ReplayOf: "letter-1", Principal: "tester", Wall: time.Minute, Retry: picloud.DefaultRetryPolicy,
		QueuedAt: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
	}
	for _, c := range change {
		c(&f)
	}
	return f
}

const triggerID = "0199aaaa-0000-7000-8000-00000000000a"

// work starts workers whose scripts run until they are stopped.
func work(t *testing.T, e *engine.Engine, a *activities.Activities) {
	t.Helper()
	w := worker.New(e.Client(), a, worker.Options{StopTimeout: time.Second})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
}

func TestRunningExecutions(t *testing.T) {
	t.Parallel()
	e := enginetest.New(t, enginetest.Namespace(t))
	work(t, e, &activities.Activities{Journal: &activitiestest.Journal{}, Sandbox: &activitiestest.Sandbox{Script: activitiestest.Hangs()}})
	first, second := firing(), firing(func(f *picloud.Firing) { f.Script, f.Trigger, f.TriggerID, f.ReplayOf = "o'ther", "", "", "" })
	other := firing(func(f *picloud.Firing) { f.App, f.AppID = "other", "app-2" })
	for _, f := range []picloud.Firing{first, second, other} {
		require.NoError(t, e.Start(t.Context(), f))
	}

	x, err := e.Running(t.Context(), shop.ID, first.ExecutionID)
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), x.StartedAt, time.Minute)
	x.StartedAt, x.Attempt = time.Time{}, 0
	assert.Equal(t, picloud.Execution{
		ID: first.ExecutionID, AppID: shop.ID, Status: picloud.StatusRunning, Script: "fulfil", Version: 3, TriggerID: triggerID, Trigger: "on-order",
		Kind: picloud.KindKV, EventID: "e", Depth: 2, RootID: "root-1", ParentID: "parent-1", ReplayOf: "letter-1", Principal: "tester", QueuedAt: first.QueuedAt,
	}, x)
	_, err = e.Running(t.Context(), shop.ID, other.ExecutionID)
	assert.Equal(t, "execution_not_found", picloud.ErrorCode(err), "another app's")

	list := func(filter picloud.ExecutionFilter, page picloud.Page) picloud.List[picloud.Execution] {
		l, err := e.ListRunning(t.Context(), shop, filter, page)
		require.NoError(t, err)
		return l
	}
	all := picloud.Page{Limit: 10}
	testkit.Until(t, soon, "both are visible", func() bool { return len(list(picloud.ExecutionFilter{}, all).Items) == 2 })
	for name, c := range map[string]struct {
		filter picloud.ExecutionFilter
		want   []string
	}{
		"newest first":    {picloud.ExecutionFilter{}, []string{second.ExecutionID, first.ExecutionID}},
		"status":          {picloud.ExecutionFilter{Status: picloud.StatusRunning}, []string{second.ExecutionID, first.ExecutionID}},
		"other status":    {picloud.ExecutionFilter{Status: picloud.StatusFailed}, nil},
		"script":          {picloud.ExecutionFilter{Script: "fulfil"}, []string{first.ExecutionID}},
		"script quoted":   {picloud.ExecutionFilter{Script: "o'ther"}, []string{second.ExecutionID}},
		"trigger by name": {picloud.ExecutionFilter{Trigger: "on-order"}, []string{first.ExecutionID}},
		"trigger by id":   {picloud.ExecutionFilter{Trigger: triggerID}, []string{first.ExecutionID}},
		"kind":            {picloud.ExecutionFilter{Kind: picloud.KindHTTP}, nil},
		"root":            {picloud.ExecutionFilter{Root: "root-1"}, []string{second.ExecutionID, first.ExecutionID}},
		"since":           {picloud.ExecutionFilter{Since: time.Now().Add(time.Hour)}, nil},
	} {
		var got []string
		for _, x := range list(c.filter, all).Items {
			got = append(got, x.ID)
		}
		assert.Equal(t, c.want, got, name)
	}
	page := list(picloud.ExecutionFilter{}, picloud.Page{Limit: 1})
	require.Len(t, page.Items, 1)
	page = list(picloud.ExecutionFilter{}, picloud.Page{Limit: 1, Cursor: page.Next})
	require.Len(t, page.Items, 1)
	assert.Equal(t, first.ExecutionID, page.Items[0].ID)
	_, err = e.ListRunning(t.Context(), shop, picloud.ExecutionFilter{}, picloud.Page{Cursor: "?"})
	assert.Equal(t, "invalid", picloud.ErrorCode(err))
}

func TestCancelAndAwait(t *testing.T) {
	t.Parallel()
	e := enginetest.New(t, enginetest.Namespace(t))
	journal := &activitiestest.Journal{}
	work(t, e, &activities.Activities{Journal: journal, Sandbox: &activitiestest.Sandbox{Script: activitiestest.Hangs()}})
	f := firing()
	require.NoError(t, e.Start(t.Context(), f))

	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := e.Await(short, f.ExecutionID)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	require.NoError(t, e.Cancel(t.Context(), f.ExecutionID))
	require.NoError(t, e.Await(t.Context(), f.ExecutionID))
	end, _ := journal.End(f.ExecutionID)
	assert.Equal(t, picloud.StatusCanceled, end.Status)

	for name, err := range map[string]error{
		"await nothing":  e.Await(t.Context(), "nothing"),
		"cancel nothing": e.Cancel(t.Context(), "nothing"),
		"cancel closed":  e.Cancel(t.Context(), f.ExecutionID),
		"closed":         func() error { _, err := e.Running(t.Context(), shop.ID, f.ExecutionID); return err }(),
	} {
		assert.Equal(t, "execution_not_found", picloud.ErrorCode(err), "%s: %v", name, err)
	}
}

// keeper tells of its work.
type keeper chan string

func (k keeper) MaintainPartitions(context.Context) error { k <- "partitions"; return nil }
func (k keeper) CollectGarbage(context.Context) error     { k <- "garbage"; return nil }

func TestRetentionSchedule(t *testing.T) {
	t.Parallel()
	e := enginetest.New(t, enginetest.Namespace(t))
	k := make(keeper, 10)
	work(t, e, &activities.Activities{Keeper: k})
	require.NoError(t, e.EnsureRetentionSchedule(t.Context()))
	require.NoError(t, e.EnsureRetentionSchedule(t.Context()), "again is no mistake")
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	for _, want := range []string{"partitions", "garbage"} {
		select {
		case got := <-k:
			assert.Equal(t, want, got)
		case <-ctx.Done():
			t.Fatal("retention does not run")
		}
	}
	described, err := e.Client().ScheduleClient().GetHandle(ctx, workflows.RetentionScheduleID).Describe(ctx)
	require.NoError(t, err)
	assert.Equal(t, 24*time.Hour, described.Schedule.Spec.Intervals[0].Every)
	assert.Equal(t, workflows.RetentionName, described.Schedule.Action.(*client.ScheduleWorkflowAction).Workflow)
}

func TestURL(t *testing.T) {
	t.Parallel()
	e, err := engine.New(engine.Options{Address: "127.0.0.1:1", BaseURL: "http://127.0.0.1:8080"})
	require.NoError(t, err)
	t.Cleanup(e.Close)
	assert.Equal(t, "http://127.0.0.1:8080/temporal/namespaces/default/workflows/execution%3A42", e.URL(picloud.KindKV, "42"))
}

func TestSummary(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "fulfil v3 ← kv orders/42 created", workflows.Summary(firing()))
	long := workflows.Summary(firing(func(f *picloud.Firing) { f.What = strings.Repeat("ä", 1000) }))
	assert.Less(t, len(long), 400, "Temporal's limit")
	assert.True(t, strings.HasSuffix(long, "ä…"))
}

func TestStandardEnvironment(t *testing.T) {
	t.Setenv("TEMPORAL_ADDRESS", "temporal.test:7233")
	t.Setenv("TEMPORAL_NAMESPACE", "production")
	log, _ := test.NewNullLogger()
	e, err := engine.New(engine.Options{Log: log})
	require.NoError(t, err)
	t.Cleanup(e.Close)
	assert.Equal(t, "production", e.Namespace())
}

func TestStartWithoutTemporalIsAnError(t *testing.T) {
	t.Parallel()
	e, err := engine.New(engine.Options{Address: "127.0.0.1:1"})
	require.NoError(t, err)
	t.Cleanup(e.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err = e.Start(ctx, firing())
	require.Error(t, err)
	assert.ErrorContains(t, err, "start execution")
}
