// The tests drive picloud engine as a process: the Temporal server is linked once, into the program, and not into a test binary too.
package temporalserver_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/picloud/picloud/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

var testAttribute = temporal.NewSearchAttributeKeyKeyword("TestAttribute")

// startEngine runs a Temporal with data in dir.
func startEngine(t *testing.T, dir string, flags ...string) *testkit.Engine {
	t.Helper()
	return testkit.StartEngine(t, append([]string{"--data-dir", dir, "--search-attribute", "TestAttribute=Keyword"}, flags...)...)
}

// folder is a data folder that every user can pass through to.
func folder(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("runs a PostgreSQL and a Temporal of its own")
	}
	dir, err := os.MkdirTemp("", "picloud-temporalserver-*")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return filepath.Join(dir, "data")
}

func dial(t *testing.T, e *testkit.Engine) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), client.Options{HostPort: e.TemporalAddress, Logger: testkit.SilentTemporalLogger()})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func startWorker(t *testing.T, c client.Client, queue string) worker.Worker {
	t.Helper()
	w := worker.New(c, queue, worker.Options{})
	w.RegisterWorkflowWithOptions(double, workflow.RegisterOptions{Name: "Double"})
	w.RegisterWorkflowWithOptions(wait, workflow.RegisterOptions{Name: "Wait"})
	require.NoError(t, w.Start())
	return w
}

// double is a workflow with one local activity.
func double(ctx workflow.Context, n int) (int, error) {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: 10 * time.Second})
	var result int
	err := workflow.ExecuteLocalActivity(ctx, func(context.Context) (int, error) { return 2 * n, nil }).Get(ctx, &result)
	return result, err
}

// wait is a workflow that ends with a signal.
func wait(ctx workflow.Context) (string, error) {
	var said string
	workflow.GetSignalChannel(ctx, "go-on").Receive(ctx, &said)
	return said, nil
}

func TestWorkflowsSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	before := time.Now()
	e := startEngine(t, dir)
	t.Logf("first start, with initdb and schema: %s", time.Since(before))
	c := dial(t, e)
	w := startWorker(t, c, "queue")

	// The attribute is usable at once: a start with one that the server does not know is refused.
	options := func(id string) client.StartWorkflowOptions {
		return client.StartWorkflowOptions{
			ID: id, TaskQueue: "queue", EnableEagerStart: true,
			TypedSearchAttributes: temporal.NewSearchAttributes(testAttribute.ValueSet("kept")),
		}
	}
	run, err := c.ExecuteWorkflow(t.Context(), options("done"), "Double", 21)
	require.NoError(t, err)
	var result int
	require.NoError(t, run.Get(t.Context(), &result))
	require.Equal(t, 42, result)
	_, err = c.ExecuteWorkflow(t.Context(), options("waiting"), "Wait")
	require.NoError(t, err)
	w.Stop()
	e.Stop(t)

	before = time.Now()
	e = startEngine(t, dir)
	t.Logf("second start: %s", time.Since(before))
	require.Less(t, time.Since(before), 10*time.Second, "a second start is fast (0.6 s on an idle machine)")
	c = dial(t, e)

	history, err := c.GetWorkflowHistory(t.Context(), "done", "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT).Next()
	require.NoError(t, err)
	require.Equal(t, enums.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, history.GetEventType())

	startWorker(t, c, "queue")
	require.NoError(t, c.SignalWorkflow(t.Context(), "waiting", "", "go-on", "after the restart"))
	var said string
	require.NoError(t, c.GetWorkflow(t.Context(), "waiting", "").Get(t.Context(), &said))
	require.Equal(t, "after the restart", said)

	testkit.Eventually(t, 20*time.Second, func() error {
		found, err := c.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
			Query: `TestAttribute = "kept" AND ExecutionStatus = "Completed"`,
		})
		if err == nil && found.GetCount() != 2 {
			err = errors.New("not both are found by their search attribute")
		}
		return err
	})
}

func TestKilledServerGoesOn(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	e := startEngine(t, dir)
	c := dial(t, e)
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "kept", TaskQueue: "queue"}, "Double", 21)
	require.NoError(t, err)
	e.Kill()

	c = dial(t, startEngine(t, dir))
	startWorker(t, c, "queue")
	var result int
	require.NoError(t, c.GetWorkflow(t.Context(), "kept", "").Get(t.Context(), &result))
	require.Equal(t, 42, result)
}

func TestDatabasesHaveOneServer(t *testing.T) {
	t.Parallel()
	e := startEngine(t, folder(t), "--unsafe")
	second := testkit.EngineError(t, "--postgres-url", e.DatabaseURL)
	require.ErrorContains(t, second, "temporal databases are in use by another process")
	require.NotContains(t, second.Error(), e.DatabaseURL, "the password is not printed")
	dial(t, e)
}
