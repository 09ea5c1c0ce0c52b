package workflows

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/picloud/picloud/activities"
	"github.com/picloud/picloud/internal/picloud"
)

// CronTickInput is what the Schedule of a cron trigger starts its workflow with: the same at every time.
type CronTickInput struct {
	TriggerID string `json:"trigger_id"`
}

// CronTickResult names the execution that the tick came to; "" when the trigger was gone or disabled.
type CronTickResult struct {
	ExecutionID string `json:"execution_id,omitempty"`
}

// scheduledKey is set by Temporal on workflows that a Schedule starts: the time that the schedule has, without jitter.
var scheduledKey = temporal.NewSearchAttributeKeyTime("TemporalScheduledStartTime")

// CronTick is one tick of a cron trigger: its Execution is its child, and it lasts as long. So the overlap policy of the Schedule, which knows the tick alone, holds for the
// execution: while that runs or waits for its next attempt, the tick runs; and a canceled tick cancels it. How the execution ends is its own affair: the tick has done its part.
func CronTick(ctx workflow.Context, in CronTickInput) (CronTickResult, error) {
	info := workflow.GetInfo(ctx)
	at := workflow.Now(ctx)
	scheduled, ok := workflow.GetTypedSearchAttributes(ctx).GetTime(scheduledKey)
	if !ok {
		scheduled = at
	}
	seed := info.WorkflowExecution.ID + "/" + info.FirstRunID
	tick := picloud.Tick{
		TriggerID: in.TriggerID, EventID: timedID(at, "event/"+seed), ExecutionID: timedID(at, "execution/"+seed), ScheduledAt: scheduled, At: at,
	}
	var opened activities.OpenTickResult
	opening := workflow.WithActivityOptions(ctx, bookkeeping("tick of "+scheduled.UTC().Format(time.RFC3339)))
	if err := workflow.ExecuteActivity(opening, activities.OpenTickName, tick).Get(ctx, &opened); err != nil {
		return CronTickResult{}, err
	}
	if opened.Firing == nil {
		return CronTickResult{}, nil
	}
	shown := Describe(*opened.Firing)
	child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:            ExecutionID(opened.Firing.ExecutionID),
		TaskQueue:             TaskQueue,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		ParentClosePolicy:     enumspb.PARENT_CLOSE_POLICY_ABANDON, // who terminates the tick by hand does not lose the execution
		WaitForCancellation:   true,
		TypedSearchAttributes: shown.Attributes,
		Memo:                  shown.Memo,
		StaticSummary:         shown.Summary,
		StaticDetails:         shown.Details,
	}), ExecutionName, Input{Firing: *opened.Firing})
	if err := child.Get(ctx, nil); err != nil && ctx.Err() != nil {
		return CronTickResult{}, err
	}
	return CronTickResult{ExecutionID: tick.ExecutionID}, nil
}

// timedID makes a UUIDv7 of an instant whose random bits are those of a seed's hash: the same whenever it is asked.
func timedID(at time.Time, seed string) string {
	sum := sha256.Sum256([]byte(seed))
	h := hex.EncodeToString(sum[:])
	variant := "89ab"[sum[31]&3]
	ms := fmt.Sprintf("%012x", at.UnixMilli())
	return fmt.Sprintf("%s-%s-7%s-%c%s-%s", ms[:8], ms[8:12], h[:3], variant, h[3:6], h[6:18])
}
