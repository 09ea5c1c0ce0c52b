package picloud

import "context"

// Backlog is what waits in the whole instance, as numbers: for metrics.
type Backlog struct {
	Outbox      map[string]int64 // firings by state: due, later, lane, parked
	OldestDue   float64          // seconds that the oldest due firing has waited
	Queues      []QueueBacklog
	DeadLetters map[string]int64 // unresolved ones by app
}

// QueueBacklog is what waits in one queue.
type QueueBacklog struct {
	App, Queue string
	Messages   int64
	OldestDue  float64 // seconds that the oldest due message has waited
}

// Backlogs tells what waits.
type Backlogs interface {
	// Backlog reads the present numbers. It takes no lock that a firing waits for.
	Backlog(ctx context.Context) (Backlog, error)
}

// SandboxStats is the state of a pool of child processes.
type SandboxStats struct {
	Children int   // alive
	Busy     int   // serve a run now
	Size     int   // runs that there may be at once
	Started  int64 // since the start of this process
	Ended    int64 // likewise: replaced after their time, or killed
	Killed   int64 // of these, those that a run took with it: a limit, or their own death
}
