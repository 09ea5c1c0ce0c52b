package workflows

import (
	"fmt"
	"math"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/picloud/picloud/activities"
	"github.com/picloud/picloud/internal/picloud"
)

const (
	// attemptGrace is what an attempt may take on top of its script's wall limit: reading, committing, a child that has to be replaced.
	attemptGrace = 30 * time.Second
	// silence is how long a worker may be silent before an attempt on it is given up.
	silence = 10 * time.Second
	// longestDryPage bounds a page of dry runs: a dead worker is noticed by its silence.
	longestDryPage = 24 * time.Hour
	// The first and the longest pause of the workflow after a platform fault.
	firstFaultPause   = time.Second
	longestFaultPause = time.Minute
)

// timeoutTypes are Temporal's names for the death of a worker: it is no failure of the script, so the retry policy of the script must not see it.
var timeoutTypes = []string{"TemporalTimeout:StartToClose", "TemporalTimeout:Heartbeat"}

// firstAttemptLocal is for the first attempt of a script with a short wall limit: no task queue between the event and the script. Failures of
// the script are never tried again here; faults of the platform a few times in quick succession, the rest is the workflow's.
func firstAttemptLocal(f picloud.Firing) workflow.LocalActivityOptions {
	return workflow.LocalActivityOptions{
		StartToCloseTimeout:    attemptTimeout(f),
		ScheduleToCloseTimeout: attemptTimeout(f) + attemptGrace,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 100 * time.Millisecond, BackoffCoefficient: 3, MaximumInterval: time.Second, MaximumAttempts: 3,
		},
		Summary: attemptSummary(f, 1, 1),
	}
}

// attempts is for every attempt but a local one: count of them under Temporal's own retries (visible in its UI, timed by the server), after failed
// ones. The trigger's policy becomes Temporal's, continued where the series stands; left is what maximum_duration leaves, 0 = no bound.
func attempts(f picloud.Firing, failed, count int, left time.Duration) workflow.ActivityOptions {
	longest := f.Retry.MaximumInterval
	if longest <= 0 {
		longest = picloud.MaxRetryInterval
	}
	nonRetryable := make([]string, 0, len(f.Retry.NonRetryableErrors)+len(timeoutTypes))
	nonRetryable = append(append(nonRetryable, f.Retry.NonRetryableErrors...), timeoutTypes...)
	return workflow.ActivityOptions{
		TaskQueue:              ScriptsTaskQueue,
		StartToCloseTimeout:    attemptTimeout(f),
		ScheduleToCloseTimeout: left,
		HeartbeatTimeout:       silence,
		WaitForCancellation:    true, // what it has committed by then counts
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:        max(f.Retry.Backoff(failed+1), time.Millisecond),
			BackoffCoefficient:     max(f.Retry.BackoffCoefficient, 1),
			MaximumInterval:        max(longest, time.Millisecond),
			MaximumAttempts:        int32(min(count, math.MaxInt32)), // at least 1
			NonRetryableErrorTypes: nonRetryable,
		},
		Priority: temporal.Priority{FairnessKey: f.App}, // the backlog of one app's retries and long scripts holds back nobody else's
		Summary:  attemptSummary(f, failed+1, count),
	}
}

// bookkeeping is for the short activities that end an execution in the database: they must succeed, so they are tried for ever.
func bookkeeping(summary string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:           TaskQueue,
		StartToCloseTimeout: attemptGrace,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 200 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: longestFaultPause},
		Summary:             summary,
	}
}

// dryRuns is for a page of letters that are run dry: scripts run one after another, each within its wall limit.
func dryRuns() workflow.ActivityOptions {
	options := bookkeeping("dry run")
	options.TaskQueue = ScriptsTaskQueue
	options.StartToCloseTimeout = longestDryPage
	options.HeartbeatTimeout = silence
	return options
}

// The hand-over of a mail: what the relay puts off is tried again for a day, as other mail servers do.
const (
	mailTimeout  = 2 * time.Minute
	mailLifetime = 24 * time.Hour
)

// mailHandOver is for mails on their way to the relay.
func mailHandOver(f picloud.Firing) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:              TaskQueue,
		StartToCloseTimeout:    mailTimeout,
		ScheduleToCloseTimeout: mailLifetime,
		WaitForCancellation:    true, // what it has handed over by then counts
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 3, MaximumInterval: 30 * time.Minute},
		Summary:                "hand over " + f.What,
	}
}

// maintenance is for the daily work on the tables: slow, and not in a hurry.
func maintenance() workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:           TaskQueue,
		StartToCloseTimeout: 30 * time.Minute,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 10 * time.Second, BackoffCoefficient: 2, MaximumInterval: 10 * time.Minute},
		Summary:             "drop old partitions, make the next",
	}
}

// faultPause is the workflow's pause after the n-th platform fault in a row, counted from 1.
func faultPause(n int) time.Duration {
	return min(firstFaultPause<<min(max(n, 1)-1, 10), longestFaultPause)
}

// attemptTimeout bounds one attempt with all its runs: a script runs again when what it read has changed.
func attemptTimeout(f picloud.Firing) time.Duration {
	return activities.MaxConflictRuns*wall(f) + attemptGrace
}

// wall is the wall limit of the script.
func wall(f picloud.Firing) time.Duration {
	if f.Wall <= 0 {
		return picloud.DefaultLimits.Wall
	}
	return f.Wall
}

// attemptSummary names count attempts from the first-th on, for people.
func attemptSummary(f picloud.Firing, first, count int) string {
	if count <= 1 {
		return fmt.Sprintf("%s v%d, attempt %d", f.Script, f.Version, first)
	}
	return fmt.Sprintf("%s v%d, attempts %d to %d", f.Script, f.Version, first, first+count-1)
}
