package engine

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/picloud/picloud/activities"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/workflows"
)

var _ picloud.BulkEngine = (*Engine)(nil)

// StartBulkReplay begins the workflow of a bulk replay. One that was terminated by hand, or failed, begins anew where it was: its progress is in the database.
func (e *Engine) StartBulkReplay(ctx context.Context, b picloud.BulkReplay) error {
	verb := "replay"
	if b.Request.DryRun {
		verb = "dry run"
	}
	options := client.StartWorkflowOptions{
		ID:                       workflows.BulkReplayID(b.ID),
		TaskQueue:                workflows.TaskQueue,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes:    temporal.NewSearchAttributes(workflows.AppKey.ValueSet(b.App)),
		StaticSummary:            fmt.Sprintf("%s of %d dead letters of %s", verb, b.Total, b.App),
	}
	in := workflows.BulkReplayInput{ID: b.ID, Rate: b.Request.Rate, DryRun: b.Request.DryRun, Progress: activities.BulkProgress{
		Status: b.Status, Total: b.Total, Replayed: b.Replayed, Skipped: b.Skipped, After: b.After,
	}}
	_, err := e.client.ExecuteWorkflow(ctx, options, workflows.BulkReplayName, in)
	if _, started := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); started { // and completed: the row will say so
		return nil
	}
	if err != nil {
		return fmt.Errorf("start bulk replay: %w", err)
	}
	return nil
}

// StopBulkReplay wakes the workflow of a bulk replay that was canceled.
func (e *Engine) StopBulkReplay(ctx context.Context, id string) error {
	err := e.client.CancelWorkflow(ctx, workflows.BulkReplayID(id), "")
	if _, missing := errors.AsType[*serviceerror.NotFound](err); err == nil || missing {
		return nil
	}
	return fmt.Errorf("stop bulk replay: %w", err)
}
