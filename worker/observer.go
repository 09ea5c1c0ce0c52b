package worker

import (
	"context"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"

	"github.com/picloud/picloud/workflows"
)

// observer tells of every activity of an execution that has ended.
type observer struct {
	interceptor.WorkerInterceptorBase

	worked func(executionID string)
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (o *observer) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &observed{ActivityInboundInterceptorBase: interceptor.ActivityInboundInterceptorBase{Next: next}, worked: o.worked}
}

// observed is one activity under observation.
type observed struct {
	interceptor.ActivityInboundInterceptorBase

	worked func(executionID string)
}

// ExecuteActivity implements interceptor.ActivityInboundInterceptor.
func (o *observed) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	if id := workflows.Executed(activity.GetInfo(ctx).WorkflowExecution.ID); id != "" {
		defer o.worked(id)
	}
	return o.Next.ExecuteActivity(ctx, in) //nolint:wrapcheck // it is not ours
}
