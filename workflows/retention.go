package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/picloud/picloud/activities"
)

// Retention does the daily work on the tables: partitions of the coming days are made, those whose retention is over are dropped.
// A Schedule starts it.
func Retention(ctx workflow.Context) error {
	ctx = workflow.WithActivityOptions(ctx, maintenance())
	return workflow.ExecuteActivity(ctx, activities.MaintainPartitionsName).Get(ctx, nil)
}
