package picloud

import (
	"context"
	"encoding/json"
	"time"
)

// Status of an Execution.
type Status string

// The statuses. Queued is in the outbox, running and waiting in Temporal; the others are final.
const (
	StatusQueued       Status = "queued"
	StatusRunning      Status = "running"
	StatusWaiting      Status = "waiting"
	StatusSucceeded    Status = "succeeded"
	StatusFailed       Status = "failed"        // a caller waited and got the error: not retried
	StatusDeadLettered Status = "dead_lettered" // exhausted or refused
	StatusCanceled     Status = "canceled"
)

// Statuses are all of them, in the order of an Execution's life.
var Statuses = []Status{StatusQueued, StatusRunning, StatusWaiting, StatusSucceeded, StatusFailed, StatusDeadLettered, StatusCanceled}

// Final reports whether nothing comes after the status.
func (s Status) Final() bool {
	return s != StatusQueued && s != StatusRunning && s != StatusWaiting
}

// Firing is one event × one trigger that is due: all that the workflow needs to run it. It is the input of the workflow Execution, so its JSON
// form must stay readable for histories that are already written.
type Firing struct {
	ExecutionID string        `json:"execution_id"`
	AppID       string        `json:"app_id"`
	App         string        `json:"app"`
	ScriptID    string        `json:"script_id"`
	Script      string        `json:"script"`
	Version     int           `json:"version"` // fixed when the firing leaves the outbox: later attempts keep it
	TriggerID   string        `json:"trigger_id,omitempty"`
	Trigger     string        `json:"trigger,omitempty"`
	Kind        Kind          `json:"kind"`
	EventID     string        `json:"event_id"`
	Event       *Event        `json:"event,omitempty"` // only where the event is in no table yet: a caller waits for the answer
	What        string        `json:"what"`            // "kv orders/42 created": for people
	RootID      string        `json:"root_id"`
	ParentID    string        `json:"parent_id,omitempty"`
	Depth       int           `json:"depth"`
	MaxDepth    int           `json:"max_depth"`           // the trigger's, at most the instance's
	Denied      bool          `json:"denied,omitempty"`    // the trigger is on the path to it already, and its policy is CycleDeny
	Overspent   string        `json:"overspent,omitempty"` // what of its tree's budget was used up when it left the outbox, for people; see Budget.Spent
	ReplayOf    string        `json:"replay_of,omitempty"` // id of the dead letter
	Handles     string        `json:"handles,omitempty"`   // id of the dead letter that the execution handles: it leaves none itself
	Slot        bool          `json:"slot,omitempty"`      // it has left a lane, and gives its slot back when it ends; older firings of queues have one too
	Principal   string        `json:"principal"`
	ReplyTo     string        `json:"reply_to,omitempty"` // the inbox where a caller waits: never retried
	Wall        time.Duration `json:"wall"`               // the script's wall limit: over LocalAttemptWall every attempt is a normal activity
	Retry       RetryPolicy   `json:"retry"`
	Tried       int           `json:"tried,omitempty"`   // attempts of earlier batches of a queue that the messages of this one have failed in: Retry has that many less
	Batched     bool          `json:"batched,omitempty"` // its script takes messages in batches: it gets a message that has become part of none as a batch of one
	QueuedAt    time.Time     `json:"queued_at"`
	TraceParent string        `json:"-"` // of its event, once an attempt has read that
	// OnDisconnect is what happens when the caller of ReplyTo leaves; "" = it goes on.
	OnDisconnect OnDisconnect `json:"on_disconnect,omitempty"`
	Refusal      *ScriptError `json:"refusal,omitempty"` // why it is buried without being run: the trigger's filter has no value for the event
}

// LogLine is one captured console call.
type LogLine struct {
	Time    time.Time `json:"time"`
	Level   string    `json:"level"` // debug, info, warn, error
	Message string    `json:"message"`
	// Values is a JSON array of the plain objects and arrays among the call's arguments; empty where there is none, or no room for it within the log limit.
	Values json.RawMessage `json:"values,omitempty"`
}

// Attempt is one failed attempt of an Execution.
type Attempt struct {
	Attempt    int
	Error      *ScriptError
	Logs       []LogLine
	StartedAt  time.Time
	FinishedAt time.Time
	RetryAfter time.Duration // until the next attempt; 0 = there is none
	Clock      time.Time     // Run.Time of the attempt
	Seed       int64         // Run.Seed of the attempt
	Tape       *Tape         // only on its way to the Journal
	CPU        time.Duration // of the script
}

// Execution is one firing as people see it.
type Execution struct {
	ID         string
	AppID      string
	Status     Status
	Script     string
	Version    int
	TriggerID  string
	Trigger    string
	Kind       Kind
	EventID    string
	Event      *Event
	Result     *Result
	Error      *ScriptError
	Attempts   []Attempt // the failed ones, oldest first
	Attempt    int       // number of attempts so far
	Logs       []LogLine // of the last attempt
	Effects    []Effect
	Depth      int
	RootID     string
	ParentID   string
	ReplayOf   string
	Principal  string
	QueuedAt   time.Time
	StartedAt  time.Time // zero while queued
	FinishedAt time.Time // zero until final
	Clock      time.Time // Run.Time of the run that ended; zero until final, and where no script ran
	Seed       int64     // Run.Seed of that run
}

// End is how a finished execution ended.
func (x Execution) End() Committed {
	return Committed{Status: x.Status, Result: x.Result, Error: x.Error}
}

// Result is what a script returned: a JSON value, or an HTTP response.
type Result struct {
	Value    json.RawMessage `json:"value,omitempty"`
	Response *Response       `json:"response,omitempty"`
}

// Response is a script's own HTTP answer.
type Response struct {
	Status  int         `json:"status"`
	Headers [][2]string `json:"headers,omitempty"`
	Body    []byte      `json:"body,omitempty"`
}

// ExecutionFilter narrows a list of executions; zero fields = any.
type ExecutionFilter struct {
	Status  Status
	Script  string
	Trigger string // id or name
	Kind    Kind
	Root    string
	Since   time.Time
}

// Executions reads what ran. What is running now is known to the Engine alone.
type Executions interface {
	// Execution gives a queued or finished execution with its event, attempts, logs and effects; for a message of a queue that has become part of a batch that of the batch, with StatusRunning
	// and little else where it has neither. NotFound "execution_not_found".
	Execution(ctx context.Context, appID, id string) (Execution, error)
	// Progress gives a running execution, as the Engine knows it, with what is stored of it so far: its event and its failed attempts.
	Progress(ctx context.Context, running Execution) (Execution, error)
	// CancelQueued ends an execution that is still in the outbox as canceled. Should its workflow be starting at this very moment, that finds the end
	// and runs nothing. NotFound "execution_not_found" when it is not queued.
	CancelQueued(ctx context.Context, appID, id string) (Execution, error)
	// CancelQueuedMany ends up to limit of the queued executions that the filter covers, whatever its status says, as canceled; handlers of dead letters, and those that are being
	// started, are left out. It gives their number.
	CancelQueuedMany(ctx context.Context, appID string, filter ExecutionFilter, limit int) (int, error)
	// ListExecutions gives queued and finished ones, newest first, without event, attempts, logs and effects.
	ListExecutions(ctx context.Context, appID string, filter ExecutionFilter, page Page) (List[Execution], error)
}

// Engine is the durable execution engine (Temporal).
type Engine interface {
	// Start begins the workflow of a firing. Started already is success.
	Start(ctx context.Context, f Firing) error
	// Await blocks until the execution's workflow is closed or ctx ends. NotFound "execution_not_found" when there is no such workflow.
	Await(ctx context.Context, executionID string) error
	// Running gives one running execution, as far as the engine knows it. NotFound "execution_not_found" when it is not running.
	Running(ctx context.Context, appID, executionID string) (Execution, error)
	// ListRunning gives the app's running executions, newest first.
	ListRunning(ctx context.Context, app App, filter ExecutionFilter, page Page) (List[Execution], error)
	// Cancel asks a running execution to end. NotFound "execution_not_found" when it is not running.
	Cancel(ctx context.Context, executionID string) error
	// CancelMany asks up to limit of the app's running executions that the filter covers, whatever its status says, to end. It gives their ids; more says that there are others.
	CancelMany(ctx context.Context, app App, filter ExecutionFilter, limit int) (ids []string, more bool, err error)
	// URL is the page of the execution in the Temporal UI.
	URL(kind Kind, executionID string) string
}

// Outbox takes firings that have no change of their own to ride on, in one transaction with their event.
type Outbox interface {
	// Enqueue stores the event and the firing; when it returns, the firing is durable.
	Enqueue(ctx context.Context, f Firing, e Event) error
	// KeepEvent stores an event alone, for a firing that is too large to carry it.
	KeepEvent(ctx context.Context, appID string, e Event) error
}

// AbandonedExecution is the forensic record of an execution that ended when its caller was gone.
type AbandonedExecution struct {
	ExecutionID string
	Script      string
	Trigger     string
	Committed   Committed
	AbandonedAt time.Time
}
