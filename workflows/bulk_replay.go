package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/picloud/picloud/activities"
	"github.com/picloud/picloud/internal/picloud"
)

// The sizes of a BulkReplay's steps.
const (
	replayPage = 100 // letters in one transaction
	dryPage    = 10  // letters run by one activity
	bulkPages  = 300 // pages in one run of the workflow: about six events each
)

// ProgressQuery is the query that a BulkReplay answers with its [activities.BulkProgress].
const ProgressQuery = "progress"

// BulkReplayInput is what a BulkReplay starts with, and what a run of it hands on.
type BulkReplayInput struct {
	ID       string                  `json:"id"`
	Rate     float64                 `json:"rate,omitempty"` // letters a second; 0 = no pace
	DryRun   bool                    `json:"dry_run,omitempty"`
	Progress activities.BulkProgress `json:"progress"`
}

// BulkReplay replays many dead letters, or runs them dry: page by page, each page one transaction with the progress in the database. So it may be interrupted anywhere, and
// started again: no letter is replayed twice. It ends when the database says that it has ended, be it completed or canceled.
func BulkReplay(ctx workflow.Context, in BulkReplayInput) (activities.BulkProgress, error) {
	now := in.Progress
	if err := workflow.SetQueryHandler(ctx, ProgressQuery, func() (activities.BulkProgress, error) { return now, nil }); err != nil {
		return now, err
	}
	for pages := 0; ; pages++ {
		if pages == bulkPages || workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			in.Progress = now
			return now, workflow.NewContinueAsNewError(ctx, BulkReplayName, in)
		}
		due := workflow.Now(ctx)
		next, err := nextPage(ctx, in, now)
		if err != nil {
			if ctx.Err() != nil {
				return now, endBulkReplay(ctx, in.ID)
			}
			return now, err
		}
		taken := next.Replayed - now.Replayed
		now = next
		if now.Status != picloud.BulkRunning {
			return now, nil
		}
		if in.Rate <= 0 {
			continue
		}
		due = due.Add(time.Duration(float64(taken) / in.Rate * float64(time.Second)))
		if wait := due.Sub(workflow.Now(ctx)); wait > 0 && workflow.Sleep(ctx, wait) != nil {
			return now, endBulkReplay(ctx, in.ID)
		}
	}
}

// nextPage does the page after the progress that is known.
func nextPage(ctx workflow.Context, in BulkReplayInput, now activities.BulkProgress) (activities.BulkProgress, error) {
	page := activities.BulkPageInput{ID: in.ID, After: now.After, Limit: replayPage}
	name, options := activities.ReplayLettersName, bookkeeping("replay")
	if in.DryRun {
		page.Limit = dryPage
		name, options = activities.DryRunLettersName, dryRuns()
	}
	if in.Rate > 0 && in.Rate < float64(page.Limit) { // a second's letters, but at least one
		page.Limit = max(int(in.Rate), 1)
	}
	var next activities.BulkProgress
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), name, page).Get(ctx, &next)
	return next, err
}

// endBulkReplay is the end of one whose workflow was canceled.
func endBulkReplay(ctx workflow.Context, id string) error {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	ctx = workflow.WithActivityOptions(ctx, bookkeeping("canceled"))
	if err := workflow.ExecuteActivity(ctx, activities.EndBulkReplayName, activities.BulkPageInput{ID: id}).Get(ctx, nil); err != nil {
		return err
	}
	return temporal.NewCanceledError()
}
