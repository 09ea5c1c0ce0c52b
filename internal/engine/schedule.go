package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/picloud/picloud/workflows"
)

// retentionEvery is the time between two Retentions.
const retentionEvery = 24 * time.Hour

// EnsureRetentionSchedule makes the Schedule of the workflow Retention, which runs daily and at once the first time. One that exists is
// brought to the present form. An engine that is too busy to answer, as after a crash with much to do, is asked again until ctx ends.
func (e *Engine) EnsureRetentionSchedule(ctx context.Context) error {
	return poll(ctx, func() (bool, error) {
		err := e.putRetentionSchedule(ctx)
		return !isTransient(err) && !errors.Is(err, context.DeadlineExceeded), err
	})
}

func (e *Engine) putRetentionSchedule(ctx context.Context) error {
	spec := client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: retentionEvery}}}
	action := &client.ScheduleWorkflowAction{
		ID:            workflows.RetentionScheduleID,
		Workflow:      workflows.RetentionName,
		TaskQueue:     workflows.TaskQueue,
		StaticSummary: "daily retention",
	}
	_, err := e.client.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID: workflows.RetentionScheduleID, Spec: spec, Action: action,
		Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: retentionEvery, TriggerImmediately: true,
	})
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		err = e.client.ScheduleClient().GetHandle(ctx, workflows.RetentionScheduleID).Update(ctx, client.ScheduleUpdateOptions{
			DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
				schedule := in.Description.Schedule
				schedule.Spec, schedule.Action = &spec, action
				return &client.ScheduleUpdate{Schedule: &schedule}, nil
			},
		})
	}
	if err != nil {
		return fmt.Errorf("ensure retention schedule: %w", err)
	}
	return nil
}
