package picloud

import (
	"context"
	"encoding/json"
	"time"
)

// QueueConfig is the config of a queue trigger: a queue is there as soon as a trigger names it. Messages wait while the trigger is disabled.
type QueueConfig struct {
	Queue          string        `json:"queue"`                     // exact name
	MaxConcurrency int           `json:"max_concurrency,omitempty"` // executions that have begun and not ended, in the whole cluster; 0 = no bound
	BatchSize      int           `json:"batch_size,omitempty"`      // messages that one execution gets at most; 0 = it gets one, and no array
	BatchWindow    time.Duration `json:"batch_window,omitempty"`    // how long a message waits for others to fill its batch
}

// The bounds of what a queue trigger and a message may say.
const (
	MaxQueueConcurrency = 10_000
	MaxQueueDelay       = 7 * 24 * time.Hour
	MinQueuePriority    = -100
	MaxQueuePriority    = 100
	MaxBatchSize        = 500
	MaxBatchWindow      = time.Hour
	MaxOrderingKey      = 256 // bytes
)

// Check says what is wrong with the config; fields are named "config.<field>".
func (c QueueConfig) Check() error {
	if err := checkAddress("config.queue", "queue", c.Queue); err != nil {
		return err
	}
	if c.MaxConcurrency < 0 || c.MaxConcurrency > MaxQueueConcurrency {
		return InvalidField("config.max_concurrency", "must be 1 to %d", MaxQueueConcurrency)
	}
	if c.BatchSize < 0 || c.BatchSize > MaxBatchSize {
		return InvalidField("config.batch_size", "must be 1 to %d", MaxBatchSize)
	}
	if c.BatchWindow < 0 || c.BatchWindow > MaxBatchWindow {
		return InvalidField("config.batch_window", `must be "0s" to "1h"`)
	}
	if c.BatchWindow > 0 && c.BatchSize == 0 {
		return InvalidField("config.batch_window", "means nothing without batch_size")
	}
	return nil
}

// QueueMessage is one message on its way to a queue.
type QueueMessage struct {
	Queue       string
	Data        json.RawMessage
	Delay       time.Duration // before which it does not run
	Priority    int           // higher goes first; 0 is the usual
	OrderingKey string        // messages with the same key run one at a time, in the order of sending, for each trigger; "" = no order
}

// Check says what is wrong with the message, by the names of the API's fields.
func (m QueueMessage) Check() error {
	if err := checkAddress("queue", "queue", m.Queue); err != nil {
		return err
	}
	if m.Delay < 0 || m.Delay > MaxQueueDelay {
		return InvalidField("delay", `must be "0s" to "168h"`)
	}
	if m.Priority < MinQueuePriority || m.Priority > MaxQueuePriority {
		return InvalidField("priority", "must be %d to %d", MinQueuePriority, MaxQueuePriority)
	}
	if m.OrderingKey == "" {
		return nil
	}
	return checkKVName("ordering_key", m.OrderingKey, MaxOrderingKey)
}

// BatchMessage is one message of a batch. A script that returns {"failed": [ids]} says which of them are to be tried again: those alone.
type BatchMessage struct {
	ID   string          `json:"id"` // of the event that sending it made
	Data json.RawMessage `json:"data"`
}

// Queues takes messages for the triggers of queues.
type Queues interface {
	// Send makes the event of a message and a firing for every trigger of its queue, in one transaction: when it returns, the firings are durable. Data is
	// JSON; the message is checked by its Check before. NotFound "queue_not_found" where no trigger of the app names the queue.
	Send(ctx context.Context, app App, m QueueMessage, from Origin) (Published, error)
	// ListQueues gives the queues of an app that triggers name, by name; the cursor is a name.
	ListQueues(ctx context.Context, appID string, page Page) (List[QueueState], error)
}

// QueueState is what waits in one queue of an app. A message that several triggers take counts for each.
type QueueState struct {
	Queue    string
	Triggers []string       // names
	Messages int64          // that wait, delayed ones included
	Delayed  int64          // of these, those that are not due: by their delay, or until their next attempt
	Running  int64          // executions that have begun and not ended; one of a batch counts once
	Oldest   *time.Duration // how long the oldest one that is due has waited; nil = none is due
}

// Slot is the place that an execution takes in the lane of its trigger, from its claim to its end: what bounds how many run, and keeps messages of one ordering key apart, counts it.
type Slot struct {
	ExecutionID string
	AppID       string
}

// Slots frees the places of executions that ended without the platform's doing: a workflow that was terminated by hand writes no end.
type Slots interface {
	// SilentSlots gives up to limit slots that were taken more than age ago, of executions that have left the outbox, after the one with the id after ("" = from the start).
	SilentSlots(ctx context.Context, age time.Duration, after string, limit int) ([]Slot, error)
	// ReleaseSlot gives a slot back; that it is free is success.
	ReleaseSlot(ctx context.Context, executionID string) error
}
