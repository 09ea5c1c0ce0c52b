package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// BuryExecutionInput is an execution that nothing more is tried for.
type BuryExecutionInput struct {
	Firing    picloud.Firing      `json:"firing"`
	Error     picloud.ScriptError `json:"error"`
	Attempts  int                 `json:"attempts"`
	StartedAt time.Time           `json:"started_at"`
}

// BuryExecutionResult is the dead letter, or the other end that the execution has come to.
type BuryExecutionResult struct {
	DeadLetterID string             `json:"dead_letter_id,omitempty"`
	End          *picloud.Committed `json:"end,omitempty"` // without result; set when an attempt that was given up had committed after all
}

// BuryExecution ends an execution as a dead letter. An attempt that was given up (its worker fell silent) may have committed meanwhile: then
// that is the end.
func (a *Activities) BuryExecution(ctx context.Context, in BuryExecutionInput) (BuryExecutionResult, error) {
	id, err := a.Journal.BuryExecution(ctx, in.Firing, in.Error, in.Attempts, in.StartedAt)
	if err != nil {
		return BuryExecutionResult{}, fmt.Errorf("bury execution: %w", err)
	}
	if id != "" {
		a.tell(in.Firing, picloud.Committed{Status: picloud.StatusDeadLettered, Error: &in.Error})
		return BuryExecutionResult{DeadLetterID: id}, nil
	}
	end, err := a.stored(ctx, in.Firing)
	if err != nil {
		return BuryExecutionResult{}, fmt.Errorf("bury execution: %w", err)
	}
	return BuryExecutionResult{End: end}, nil
}
