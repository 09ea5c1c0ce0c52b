package activities

import (
	"context"
	"fmt"

	"github.com/picloud/picloud/internal/picloud"
)

// BulkPageInput asks for the page of a bulk replay that follows the letter After.
type BulkPageInput struct {
	ID    string `json:"id"`
	After string `json:"after,omitempty"`
	Limit int    `json:"limit,omitempty"`
}

// BulkProgress is how far a bulk replay has come.
type BulkProgress struct {
	Status   picloud.BulkStatus `json:"status"`
	Total    int64              `json:"total"`
	Replayed int64              `json:"replayed"`
	Skipped  int64              `json:"skipped"`
	After    string             `json:"after,omitempty"`
}

// ReplayLetters replays a page of letters.
func (a *Activities) ReplayLetters(ctx context.Context, in BulkPageInput) (BulkProgress, error) {
	b, err := a.Bulk.ReplayPage(ctx, in.ID, in.After, in.Limit)
	return bulkProgress(b, err, "replay letters")
}

// EndBulkReplay ends a bulk replay whose workflow was canceled.
func (a *Activities) EndBulkReplay(ctx context.Context, in BulkPageInput) (BulkProgress, error) {
	b, err := a.Bulk.EndBulkReplay(ctx, in.ID)
	return bulkProgress(b, err, "end bulk replay")
}

// DryRunLetters runs a page of letters dry, one after another, and reports what came of them.
func (a *Activities) DryRunLetters(ctx context.Context, in BulkPageInput) (BulkProgress, error) {
	b, letters, err := a.Bulk.DryPage(ctx, in.ID, in.After, in.Limit)
	if err != nil || letters == nil {
		return bulkProgress(b, err, "take letters")
	}
	silence := beat(ctx, nil)
	defer silence()
	page := make([]picloud.DryLetter, 0, len(letters))
	for _, letter := range letters {
		how := picloud.Replay{Version: b.Request.Version, FetchLive: b.Request.FetchLive}
		result, err := a.DryRunner.DryRunLetter(ctx, b.App, letter, how)
		if e := picloud.AsError(err); e != nil { // no script, or no such version
			page = append(page, picloud.DryLetter{DeadLetterID: letter.ID, Outcome: picloud.DrySkipped, Error: &picloud.ScriptError{Type: e.Code, Message: e.Message}})
			continue
		}
		if err != nil {
			return BulkProgress{}, fmt.Errorf("run letter dry: %w", err)
		}
		page = append(page, picloud.DryLetterOf(letter.ID, result))
	}
	b, err = a.Bulk.ReportPage(ctx, in.ID, in.After, page)
	return bulkProgress(b, err, "report letters")
}

// bulkProgress is the progress of b. One that is gone, with its app, is at its end.
func bulkProgress(b picloud.BulkReplay, err error, doing string) (BulkProgress, error) {
	if picloud.ErrorCode(err) == "bulk_replay_not_found" {
		return BulkProgress{Status: picloud.BulkCanceled}, nil
	}
	if err != nil {
		return BulkProgress{}, fmt.Errorf("%s: %w", doing, err)
	}
	return BulkProgress{Status: b.Status, Total: b.Total, Replayed: b.Replayed, Skipped: b.Skipped, After: b.After}, nil
}
