package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/picloud/picloud/activities"
	"github.com/picloud/picloud/internal/picloud"
)

// SendMail hands over a mail that a script has sent: an execution of picloud.KindMail, which runs no script. It is tried under Temporal's own retry policy, then the mail is a
// dead letter, whose replay sends it again. It ends as an Execution does.
func SendMail(ctx workflow.Context, in Input) (Result, error) {
	e := setup(ctx, in)
	var result activities.HandOverMailResult
	handing := workflow.WithActivityOptions(ctx, mailHandOver(e.Firing))
	err := workflow.ExecuteActivity(handing, activities.HandOverMailName, activities.HandOverMailInput{Firing: e.Firing}).Get(ctx, &result)
	switch {
	case err == nil:
		return e.end(result.End)
	case ctx.Err() != nil:
		return e.cancel(ctx)
	}
	failure := activities.FailureOf(err)
	e.Failed = failure.Attempts
	if failure.Error == nil { // the platform has failed for as long as a mail lives
		failure.Error = &picloud.ScriptError{Reason: picloud.ReasonMail, Type: activities.TypeMailDelayed, Message: err.Error()}
	}
	return e.bury(ctx, failure.Error)
}
