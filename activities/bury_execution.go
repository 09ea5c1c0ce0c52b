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
	// Error is what the letter says, where that is more than the workflow knows: the path of what was cut.
	Error *picloud.ScriptError `json:"error,omitempty"`
}

// BuryExecution ends an execution as a dead letter. An attempt that was given up (its worker fell silent) may have committed meanwhile: then
// that is the end.
func (a *Activities) BuryExecution(ctx context.Context, in BuryExecutionInput) (BuryExecutionResult, error) {
	named := in.Firing.Cut() != nil
	if named {
		path, err := a.Journal.Path(ctx, in.Firing)
		if err != nil {
			return BuryExecutionResult{}, fmt.Errorf("find path of execution: %w", err)
		}
		in.Error.Message += ": " + picloud.Describe(path)
		in.Error = *bounded(&in.Error)
	}
	id, err := a.Journal.BuryExecution(ctx, in.Firing, in.Error, in.Attempts, in.StartedAt)
	if err != nil {
		return BuryExecutionResult{}, fmt.Errorf("bury execution: %w", err)
	}
	if id != "" {
		a.tell(in.Firing, picloud.Committed{Status: picloud.StatusDeadLettered, Error: &in.Error})
		result := BuryExecutionResult{DeadLetterID: id}
		if named {
			result.Error = &in.Error
		}
		return result, nil
	}
	end, err := a.stored(ctx, in.Firing)
	if err != nil {
		return BuryExecutionResult{}, fmt.Errorf("bury execution: %w", err)
	}
	return BuryExecutionResult{End: end}, nil
}
