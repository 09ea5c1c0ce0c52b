package metrics

import (
	"context"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// journal counts what another journal is told.
type journal struct {
	picloud.Journal

	m *Metrics
}

// Journal counts the ends of executions and their failed attempts. An end that is written a second time, after its answer was lost, counts twice.
func (m *Metrics) Journal(next picloud.Journal) picloud.Journal { return journal{next, m} }

func (j journal) ended(f picloud.Firing, status picloud.Status, startedAt time.Time) {
	kind := string(f.Kind)
	j.m.executions.WithLabelValues(kind, string(status)).Inc()
	if startedAt.IsZero() {
		return
	}
	j.m.duration.WithLabelValues(kind).Observe(time.Since(startedAt).Seconds())
	j.m.waited.WithLabelValues(kind).Observe(max(0, startedAt.Sub(f.QueuedAt).Seconds()))
}

// CommitExecution implements picloud.Journal.
func (j journal) CommitExecution(ctx context.Context, f picloud.Firing, c picloud.Commit) (picloud.Committed, error) {
	end, err := j.Journal.CommitExecution(ctx, f, c)
	if err == nil {
		j.ended(f, end.Status, c.StartedAt)
	}
	if err == nil && c.Outcome.Failure != nil {
		j.m.failures.WithLabelValues(string(c.Outcome.Failure.Reason)).Inc()
	}
	return end, err
}

// RecordAttempt implements picloud.Journal.
func (j journal) RecordAttempt(ctx context.Context, f picloud.Firing, a picloud.Attempt) error {
	err := j.Journal.RecordAttempt(ctx, f, a)
	if err == nil && a.Error != nil {
		j.m.failures.WithLabelValues(string(a.Error.Reason)).Inc()
	}
	return err
}

// BuryExecution implements picloud.Journal.
func (j journal) BuryExecution(ctx context.Context, f picloud.Firing, e picloud.ScriptError, attempts int, startedAt time.Time) (string, error) {
	id, err := j.Journal.BuryExecution(ctx, f, e, attempts, startedAt)
	if err == nil {
		status := picloud.StatusDeadLettered
		if f.Kind == picloud.KindDeadLetter {
			status = picloud.StatusFailed
		}
		j.ended(f, status, startedAt)
	}
	return id, err
}

// CancelExecution implements picloud.Journal.
func (j journal) CancelExecution(ctx context.Context, f picloud.Firing, startedAt time.Time, why *picloud.ScriptError) (picloud.Committed, error) {
	end, err := j.Journal.CancelExecution(ctx, f, startedAt, why)
	if err == nil && end.Status == picloud.StatusCanceled {
		j.ended(f, end.Status, startedAt)
	}
	return end, err
}

// dispatching counts the claims of another outbox.
type dispatching struct {
	picloud.Dispatching

	m *Metrics
}

// Dispatching counts claims.
func (m *Metrics) Dispatching(next picloud.Dispatching) picloud.Dispatching {
	return dispatching{next, m}
}

// ClaimDue implements picloud.Dispatching.
func (d dispatching) ClaimDue(ctx context.Context, limit int, lease time.Duration, but ...string) ([]picloud.Firing, error) {
	firings, err := d.Dispatching.ClaimDue(ctx, limit, lease, but...)
	d.m.claims.Inc()
	if err != nil && ctx.Err() == nil {
		d.m.claimFault.Inc()
	}
	d.m.claimed.Add(float64(len(firings)))
	return firings, err
}
