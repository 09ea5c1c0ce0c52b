package picloud

import (
	"context"
	"errors"
	"time"
)

// ErrReadSetChanged says that a key or list that a run read has changed before its commit: the script must be run again.
var ErrReadSetChanged = errors.New("read set changed")

// ErrScriptMissing says that the script or the version that a firing names is gone.
var ErrScriptMissing = errors.New("script or version is gone")

// Opened is what an attempt needs, read in one round trip.
type Opened struct {
	Event      Event
	Program    Program
	Limits     Limits
	FetchAllow []string   // the app's
	Grant      *Grant     // what the execution may do; it has ScriptInvoke
	Committed  *Committed // the execution is over already: answer with this and run nothing
}

// Commit is what one attempt ended with.
type Commit struct {
	Status    Status // StatusSucceeded, or StatusFailed where a caller waits for the error
	Outcome   Outcome
	Attempt   int
	StartedAt time.Time // of the first attempt
	Clock     time.Time // Run.Time of the run that ended; zero = no script ran
	Seed      int64     // Run.Seed of that run
}

// Committed is the stored end of an execution.
type Committed struct {
	Status Status       `json:"status"`
	Result *Result      `json:"result,omitempty"`
	Error  *ScriptError `json:"error,omitempty"`
}

// Journal is the record of executions as the attempts write it. Every method may be repeated: the second call changes nothing and answers as the first.
type Journal interface {
	// OpenExecution reads what an attempt of f needs. ErrScriptMissing when its script is gone, a *ScriptError when its event is, or when its principal may not run it.
	OpenExecution(ctx context.Context, f Firing) (Opened, error)
	// CommitExecution is the commit point of an execution: in one transaction it checks the read set, writes the effects and the outbox rows of the
	// triggers that they match, and the execution's own row. ErrReadSetChanged writes nothing. When the execution is committed already
	// (by a run whose completion was lost), it writes nothing and gives the stored end. ErrScriptMissing when the app is gone. A *ScriptError says that
	// what the script did cannot be stored: that is its failure, not the platform's. What is kept of result and effects goes through the outcome's Hidden; the
	// end that is given has the result as the script made it, for the caller who waits.
	CommitExecution(ctx context.Context, f Firing, c Commit) (Committed, error)
	// RecordAttempt keeps a failed attempt.
	RecordAttempt(ctx context.Context, f Firing, a Attempt) error
	// BuryExecution ends an exhausted or refused execution: its row with StatusDeadLettered and its dead letter, in one transaction; gives the letter's id.
	// In the same transaction the letter fires the dead_letter triggers that it matches. "" when there is no letter: the execution had ended otherwise, its app is
	// gone, or it is itself a handler of dead letters (KindDeadLetter), which ends with StatusFailed and tells the letter that it handles.
	// Of all that is cut of one tree for ReasonBudgetExceeded the first alone leaves a letter: the others end with StatusCanceled.
	BuryExecution(ctx context.Context, f Firing, e ScriptError, attempts int, startedAt time.Time) (deadLetterID string, err error)
	// Path gives the executions above that of f, the root's first, and f itself at the end; what retention has dropped is left out.
	Path(ctx context.Context, f Firing) ([]Step, error)
	// CancelExecution ends a canceled execution: its row with StatusCanceled and, unless it is nil, why. It gives the end that is stored, without a result: another one where the execution had
	// ended before. An attempt that runs on commits nothing: it finds that end.
	CancelExecution(ctx context.Context, f Firing, startedAt time.Time, why *ScriptError) (Committed, error)
	// RecordAbandoned keeps a finished execution whose caller was gone; with a grace it counts as abandoned when that is over, unless Abandoned.Received comes first.
	RecordAbandoned(ctx context.Context, f Firing, c Committed, grace time.Duration) error
}

// Dispatching is the outbox as the dispatcher works it.
type Dispatching interface {
	// ClaimDue leases up to limit due firings, oldest first, and as many of those that wait in lanes (of queues and of triggers with flow control), as far as their bounds let them go, by priority. Those that another
	// dispatcher is claiming are skipped; what is leased comes due again when the lease ends. Version, Retry, MaxDepth and Wall are filled in from the present state of script, trigger and instance.
	// Nothing of the apps but (ids) is claimed.
	ClaimDue(ctx context.Context, limit int, lease time.Duration, but ...string) ([]Firing, error)
	// ReclaimFirings makes due what processes have claimed that are no more (see Presence), and gives how many firings that are.
	ReclaimFirings(ctx context.Context) (int, error)
	// DeleteFirings removes firings whose workflows are started.
	DeleteFirings(ctx context.Context, executionIDs []string) error
	// RescheduleFirings makes claimed firings due again after delay.
	RescheduleFirings(ctx context.Context, executionIDs []string, delay time.Duration) error
	// NextDue gives the time until the earliest row comes due (0 = now); ok is false when the outbox is empty.
	NextDue(ctx context.Context) (in time.Duration, ok bool, err error)
	// Listen calls wake for every notification of new rows until ctx ends or the connection fails. It calls wake once when it listens.
	Listen(ctx context.Context, wake func()) error
}

// Delivery is how a waiting caller learns of the end of its execution: it is sent the moment that the end is committed.
type Delivery = Committed

// DeliveryResult says what became of a delivery.
type DeliveryResult uint8

// What may become of a delivery.
const (
	Delivered          DeliveryResult = iota
	CallerGone                        // the inbox was this process's and is closed: the execution is abandoned
	DeliveredElsewhere                // another process's inbox: the workflow's result reaches it
)

// Waiting says whether somebody waits for the end of an execution.
type Waiting uint8

// The answers of an Inbox.
const (
	WaitsElsewhere Waiting = iota // in another process, if that is alive
	WaitsHere
	WaitsNoMore // the inbox was this process's and is closed
)

// Inbox is where callers of this process wait for the end of their executions (MISSION: the reply inbox).
type Inbox interface {
	// Open makes an inbox for one execution; address is the Firing's ReplyTo. The channel gets one Delivery at most. Done must be called when the caller stops waiting.
	Open(executionID string) (address string, delivery <-chan Delivery, done func())
	// Deliver hands over the end of the execution whose ReplyTo is address.
	Deliver(address, executionID string, d Delivery) DeliveryResult
	// Waiting says whether the caller of the execution whose ReplyTo is address waits, and in which process.
	Waiting(address, executionID string) (w Waiting, process string)
}

// Presence is what processes know of each other by way of the database. What is said is a word in passing: a process that does not attend at this moment does not hear of it.
type Presence interface {
	// Attend says that this process is alive and hears what it is told, until ctx ends or the connection fails. A process that dies is absent as soon as the database sees its connection closed.
	Attend(ctx context.Context, h Hearing) error
	// Present says whether a process attends.
	Present(ctx context.Context, process string) (bool, error)
	// StopRuns tells every process to stop what it runs of these executions.
	StopRuns(ctx context.Context, executionIDs ...string) error
	// SayEnded tells a process that the end is committed of an execution whose caller waits in it.
	SayEnded(ctx context.Context, process, appID, executionID string) error
}

// Hearing is what a process does when it hears something; none of it may block.
type Hearing struct {
	Present func()                          // it attends
	Stop    func(executionID string)        // this execution is to be stopped at once
	Ended   func(appID, executionID string) // another process has ended this execution, whose caller waits here
}

// Endpoint is a script as ingress needs it, read in one round trip.
type Endpoint struct {
	App      App
	ScriptID string
	Script   string
	Version  int // the active one
	Limits   Limits
	Triggers []Trigger         // enabled http triggers of the script, in the order of their making
	Secrets  map[string]string // values of the secrets that they verify with, by name; one that is gone is missing
}

// Endpoints finds scripts by their addresses.
type Endpoints interface {
	// Endpoint gives NotFound "app_not_found" or "script_not_found".
	Endpoint(ctx context.Context, appSlug, script string) (Endpoint, error)
}
