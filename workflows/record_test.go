package workflows_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/picloud/picloud/activities"
	. "github.com/picloud/picloud/activities/activitiestest"
	"github.com/picloud/picloud/internal/engine"
	"github.com/picloud/picloud/internal/engine/enginetest"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/testkit"
	"github.com/picloud/picloud/worker"
	"github.com/picloud/picloud/workflows"
)

var record = flag.Bool("record", false, "record the histories that testdata/replay lacks, on a real Temporal")

// scenario is one way an Execution may go, on a real Temporal.
type scenario struct {
	script Script
	mail   error // what the relay says to the first try; then it takes the mail
	change func(*picloud.Firing)
	fault  func(method string) error
	cancel enumspb.EventType // is asked for when the history has such an event; 0 = not at all
	status enumspb.WorkflowExecutionStatus
}

const (
	completed = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	failed    = enumspb.WORKFLOW_EXECUTION_STATUS_FAILED
	canceled  = enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED
)

func scenarios() map[string]scenario {
	quick := func(f *picloud.Firing) { f.Retry.InitialInterval = 10 * time.Millisecond }
	long := func(f *picloud.Firing) { quick(f); f.Wall = time.Minute }
	mailed := func(f *picloud.Firing) { f.Kind, f.What = picloud.KindMail, "mail to a@b.example" }
	var opened atomic.Int32
	return map[string]scenario{
		"succeeded":      {script: Returns(`{"ok":true}`), status: completed},
		"retried":        {script: InTurn(Throws(typeError), Throws(typeError), Returns(`1`)), change: quick, status: completed},
		"long_retried":   {script: InTurn(Throws(typeError), Throws(typeError), Returns(`1`)), change: long, status: completed},
		"dead_lettered":  {script: Throws(typeError), change: quick, status: failed},
		"depth_exceeded": {script: Returns(`1`), change: func(f *picloud.Firing) { f.Depth = f.MaxDepth + 1 }, status: failed},
		"refused": {script: Returns(`1`), change: func(f *picloud.Firing) {
			f.Refusal = &picloud.ScriptError{Reason: picloud.ReasonFilterError, Type: "FilterError", Message: "no such key: total", NonRetryable: true}
		}, status: failed},
		"sync_failed": {script: Throws(typeError), change: func(f *picloud.Firing) { f.ReplyTo = "elsewhere/1" }, status: failed},
		"expired": {
			script: Throws(typeError), status: failed,
			change: func(f *picloud.Firing) {
				quick(f)
				f.Retry.MaximumDuration, f.Retry.MaximumAttempts = 100*time.Millisecond, 100
			},
		},
		"platform_fault": {
			script: Returns(`1`), status: completed,
			fault: func(method string) error {
				if method == "OpenExecution" && opened.Add(1) <= 4 {
					return errDown
				}
				return nil
			},
		},
		"mail_sent":    {mail: errLater, change: mailed, status: completed},
		"mail_refused": {mail: &picloud.MailRefusedError{Message: "550"}, change: mailed, status: failed},
		"canceled":     {script: Hangs(), change: long, cancel: enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, status: canceled},
		"canceled_between": {
			script: Throws(typeError), change: func(f *picloud.Firing) { f.Retry.InitialInterval = time.Hour; f.Retry.MaximumInterval = time.Hour },
			cancel: enumspb.EVENT_TYPE_TIMER_STARTED, status: canceled,
		},
	}
}

// TestRecordedScenarios plays every scenario on a real Temporal, and records its history where -record asks for it and there is none yet.
func TestRecordedScenarios(t *testing.T) {
	namespace := enginetest.Namespace(t)
	for name, s := range scenarios() {
		t.Run(name, func(t *testing.T) {
			recordAs(t, name, s.play(t, enginetest.New(t, namespace)))
		})
	}
}

// play runs the scenario to its end and gives its history.
func (s scenario) play(t *testing.T, e *engine.Engine) *historypb.History {
	t.Helper()
	journal := &Journal{Fault: s.fault}
	sandbox := &Sandbox{Script: s.script}
	w := worker.New(e.Client(), &activities.Activities{
		Journal: journal, Sandbox: sandbox, Mails: &Mails{Journal: journal}, Courier: &Courier{Answers: []error{s.mail, nil}},
	}, worker.Options{StopTimeout: time.Second})
	require.NoError(t, w.Start())
	defer w.Stop()

	f := firing().Firing
	f.ExecutionID = testkit.Unique("x")
	f.QueuedAt = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	if s.change != nil {
		s.change(&f)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, e.Start(ctx, f))
	require.NoError(t, e.Start(ctx, f), "started already is success")
	if s.cancel != 0 {
		testkit.Until(t, 10*time.Second, "time to cancel", func() bool {
			return len(sandbox.Runs()) > 0 && slices.ContainsFunc(historyOf(t, e, workflowID(f)).GetEvents(), func(event *historypb.HistoryEvent) bool {
				return event.GetEventType() == s.cancel
			})
		})
		require.NoError(t, e.Cancel(ctx, f.ExecutionID))
	}
	require.NoError(t, e.Await(ctx, f.ExecutionID))
	require.NoError(t, e.Start(ctx, f), "so is finished already")

	described, err := e.Client().DescribeWorkflowExecution(ctx, workflowID(f), "")
	require.NoError(t, err)
	require.Equal(t, s.status, described.GetWorkflowExecutionInfo().GetStatus())
	_, ended := journal.End(f.ExecutionID)
	require.True(t, ended)

	return historyOf(t, e, workflowID(f))
}

// TestRecordedTicks plays ticks of a cron trigger on a real Temporal: one with an execution, and one whose trigger is gone or whose filter refuses it.
func TestRecordedTicks(t *testing.T) {
	namespace := enginetest.Namespace(t)
	for name, firing := range map[string]*picloud.Firing{"cron_tick": cronFiring(), "cron_tick_idle": nil} {
		t.Run(name, func(t *testing.T) {
			e := enginetest.New(t, namespace)
			journal := &Journal{}
			w := worker.New(e.Client(), &activities.Activities{Journal: journal, Sandbox: &Sandbox{Script: Returns(`1`)}, Ticks: &trigger{firing: firing}}, worker.Options{StopTimeout: time.Second})
			require.NoError(t, w.Start())
			defer w.Stop()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			id := workflows.CronIDPrefix + testkit.Unique("t")
			run, err := e.Client().ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: workflows.TaskQueue}, workflows.CronTickName, workflows.CronTickInput{TriggerID: "t"})
			require.NoError(t, err)
			var result workflows.CronTickResult
			require.NoError(t, run.Get(ctx, &result))
			require.Equal(t, firing == nil, result.ExecutionID == "")
			if firing != nil {
				end, ended := journal.End(result.ExecutionID)
				require.True(t, ended)
				require.Equal(t, picloud.StatusSucceeded, end.Status)
			}
			recordAs(t, name, historyOf(t, e, id))
		})
	}
}

// TestRecordedBulkReplay plays a bulk replay on a real Temporal, with the query that shows its progress, and records its history as TestRecordedScenarios does.
func TestRecordedBulkReplay(t *testing.T) {
	namespace := enginetest.Namespace(t)
	for name, request := range map[string]picloud.BulkRequest{"bulk_replay": {Rate: 200}, "bulk_dry_run": {DryRun: true}} {
		t.Run(name, func(t *testing.T) {
			e := enginetest.New(t, namespace)
			bulk := &Bulk{Letters: 120}
			if request.DryRun {
				bulk.Letters = 12
			}
			w := worker.New(e.Client(), &activities.Activities{Bulk: bulk, DryRunner: &dryRunner{n: 2}}, worker.Options{StopTimeout: time.Second})
			require.NoError(t, w.Start())
			defer w.Stop()
			b := picloud.BulkReplay{ID: testkit.Unique("b"), App: "shop", Request: request, Status: picloud.BulkRunning, Total: int64(bulk.Letters)}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			require.NoError(t, e.StartBulkReplay(ctx, b))
			require.NoError(t, e.StartBulkReplay(ctx, b), "started already is success")
			id := workflows.BulkReplayID(b.ID)
			require.NoError(t, e.Client().GetWorkflow(ctx, id, "").Get(ctx, nil))
			require.NoError(t, e.StartBulkReplay(ctx, b), "so is finished already")
			require.NoError(t, e.StopBulkReplay(ctx, b.ID))
			answer, err := e.Client().QueryWorkflow(ctx, id, "", workflows.ProgressQuery)
			require.NoError(t, err)
			var progress activities.BulkProgress
			require.NoError(t, answer.Get(&progress))
			require.Equal(t, picloud.BulkCompleted, progress.Status)
			require.EqualValues(t, bulk.Letters, progress.Replayed)
			recordAs(t, name, historyOf(t, e, id))
		})
	}
}

// recordAs records a history where -record asks for it and there is none yet.
func recordAs(t *testing.T, name string, history *historypb.History) {
	t.Helper()
	file := filepath.Join("testdata", "replay", name+".json")
	if _, err := os.Stat(file); *record && err != nil {
		write(t, history, file)
	}
}

// historyOf reads the history of a workflow as it is now.
func historyOf(t *testing.T, e *engine.Engine, workflowID string) *historypb.History {
	t.Helper()
	history := &historypb.History{}
	events := e.Client().GetWorkflowHistory(t.Context(), workflowID, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(t, err)
		history.Events = append(history.Events, event)
	}
	return history
}

// write writes a history as JSON, without the name of this machine.
func write(t *testing.T, history *historypb.History, file string) {
	t.Helper()
	data, err := protojson.Marshal(history)
	require.NoError(t, err)
	host, err := os.Hostname()
	require.NoError(t, err)
	data = bytes.ReplaceAll(data, []byte(`"`+host+`:`), []byte(`"worker:`))
	var pretty bytes.Buffer
	require.NoError(t, json.Indent(&pretty, data, "", "  ")) // protojson's own spaces vary
	pretty.WriteByte('\n')
	require.NoError(t, os.WriteFile(file, pretty.Bytes(), 0o644))
}

// workflowID is the id of the firing's workflow.
func workflowID(f picloud.Firing) string {
	if f.Kind == picloud.KindMail {
		return workflows.MailID(f.ExecutionID)
	}
	return workflows.ExecutionID(f.ExecutionID)
}
