package api

import (
	"github.com/picloud/picloud/internal/picloud"
)

// errNoSandbox answers dry runs where no script can run.
func errNoSandbox() error {
	return picloud.Errorf(picloud.Unavailable, "sandbox_unavailable", "this process runs no scripts")
}

// toDryRun shows a run that committed nothing as the execution x that it would have been.
func (s *server) toDryRun(x picloud.Execution, d picloud.DryResult) (Execution, error) {
	x.ID, x.Version, x.Event, x.EventID, x.Depth, x.RootID, x.ParentID = d.ExecutionID, d.Version, &d.Event, d.Event.ID, d.Event.Depth, d.Event.RootID, d.Event.ParentID
	x.QueuedAt, x.StartedAt, x.FinishedAt, x.Logs = d.StartedAt, d.StartedAt, d.FinishedAt, d.Outcome.Logs
	if x.Status, x.Error = picloud.StatusSucceeded, d.Outcome.Failure; x.Error != nil {
		x.Status = picloud.StatusFailed
	} else {
		result := d.Outcome.Hidden.Result(d.Outcome.Result)
		x.Result = &result
	}
	out, err := s.toExecution(x)
	out.TemporalURL = nil
	out.Effects = convert(d.Effects, toEffectDiff)
	return out, err
}

func toEffectDiff(d picloud.EffectDiff) Effect {
	out := toEffect(d.Effect)
	if d.Type == picloud.EffectKVSet || d.Type == picloud.EffectKVDelete {
		out.Before, out.After, out.Changes, out.ChangedSinceFailure = d.Before, d.Value, &d.Changes, &d.ChangedSinceFailure
	}
	return out
}
