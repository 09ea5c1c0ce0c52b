package workflows_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/picloud/picloud/internal/testkit"
	"github.com/picloud/picloud/workflows"
)

// TestReplay runs today's code against the histories of code that was released: those that are open at an upgrade must go on. New histories are
// recorded by "make record-histories"; one that is there is never recorded again.
func TestReplay(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "replay", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterWorkflowWithOptions(workflows.Execution, workflow.RegisterOptions{Name: workflows.ExecutionName})
	replayer.RegisterWorkflowWithOptions(workflows.Retention, workflow.RegisterOptions{Name: workflows.RetentionName})
	replayer.RegisterWorkflowWithOptions(workflows.CronTick, workflow.RegisterOptions{Name: workflows.CronTickName})
	replayer.RegisterWorkflowWithOptions(workflows.BulkReplay, workflow.RegisterOptions{Name: workflows.BulkReplayName})
	replayer.RegisterWorkflowWithOptions(workflows.SendMail, workflow.RegisterOptions{Name: workflows.SendMailName})
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			require.NoError(t, replayer.ReplayWorkflowHistoryFromJSONFile(testkit.SilentTemporalLogger(), file))
		})
	}
}
