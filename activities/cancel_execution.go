package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// CancelExecutionInput is an execution that was asked to end.
type CancelExecutionInput struct {
	Firing    picloud.Firing `json:"firing"`
	StartedAt time.Time      `json:"started_at"`
}

// CancelExecutionResult is the end that the execution has come to: canceled, or what its attempt had committed before.
type CancelExecutionResult struct {
	End picloud.Committed `json:"end"` // without result
}

// CancelExecution ends an execution as canceled, unless it has ended already.
func (a *Activities) CancelExecution(ctx context.Context, in CancelExecutionInput) (CancelExecutionResult, error) {
	end, err := a.Journal.CancelExecution(ctx, in.Firing, in.StartedAt, nil)
	if err != nil {
		return CancelExecutionResult{}, fmt.Errorf("cancel execution: %w", err)
	}
	a.tell(in.Firing, end)
	return CancelExecutionResult{End: end}, nil
}

// tell gives the end to the caller who waits in this process, if any.
func (a *Activities) tell(f picloud.Firing, end picloud.Committed) {
	if f.ReplyTo != "" && a.Inbox != nil {
		a.Inbox.Deliver(f.ReplyTo, f.ExecutionID, end)
	}
}

// stored reads the end of an execution, without its result; nil when it has none or its script is gone.
func (a *Activities) stored(ctx context.Context, f picloud.Firing) (*picloud.Committed, error) {
	opened, err := a.Journal.OpenExecution(ctx, f)
	if errors.Is(err, picloud.ErrScriptMissing) {
		return nil, nil //nolint:nilnil // no end is no error
	}
	if err != nil {
		return nil, fmt.Errorf("open execution: %w", err)
	}
	if opened.Committed == nil {
		return nil, nil //nolint:nilnil // as above
	}
	return &picloud.Committed{Status: opened.Committed.Status, Error: opened.Committed.Error}, nil
}
