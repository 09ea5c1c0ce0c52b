package picloud

import (
	"context"
	"slices"
	"time"
)

// Kind is the kind of event source: the first word of an event's life.
type Kind string

// The kinds of events. KindInvoke is a direct call of a script's endpoint or of its invoke address, without a trigger.
const (
	KindHTTP       Kind = "http"
	KindKV         Kind = "kv"
	KindPubSub     Kind = "pubsub"
	KindDeadLetter Kind = "dead_letter"
	KindCron       Kind = "cron"
	KindQueue      Kind = "queue"
	KindEmail      Kind = "email"
	// KindMail is the hand-over of a mail that a script has sent: an execution that runs no script. No trigger has this kind.
	KindMail Kind = "mail"
)

// Kinds are the kinds a trigger can be registered for.
var Kinds = []Kind{KindHTTP, KindKV, KindCron, KindPubSub, KindQueue, KindEmail, KindDeadLetter}

// Trigger says which events of an app fire which script, and as whom.
type Trigger struct {
	ID                    string
	AppID                 string
	Name                  string
	Kind                  Kind
	Script                string // name of the script
	Enabled               bool
	HTTP                  *HTTPConfig       // set for KindHTTP
	KV                    *KVConfig         // set for KindKV
	PubSub                *PubSubConfig     // set for KindPubSub
	DeadLetter            *DeadLetterConfig // set for KindDeadLetter
	Cron                  *CronConfig       // set for KindCron
	Queue                 *QueueConfig      // set for KindQueue
	Email                 *EmailConfig      // set for KindEmail
	Retry                 *RetryPolicy      // nil = the instance's defaults
	MaxDepth              int               // over which its firings are cut; 0 = the instance's
	Cycle                 Cycle
	Filter                string // a CEL expression that an event must meet; "" = none
	RegisteredByPrincipal string // name of the principal that it runs as
	DisabledReason        string // why the platform has disabled it; "" = it has not
	Flow                  *Flow  // nil = its firings go at once
	CreatedAt             time.Time
	UpdatedAt             time.Time
}

// The operations on a key.
const (
	KVCreated = "created"
	KVUpdated = "updated"
	KVDeleted = "deleted"
)

// KVConfig is the config of a kv trigger: changes of the keys of the collections that it matches.
type KVConfig struct {
	Collection Glob     `json:"collection"`
	Operations []string `json:"operations,omitempty"` // of created, updated, deleted; empty = all
	Key        Glob     `json:"key,omitempty"`        // "" = all
}

// Check says what is wrong with the config; fields are named "config.<field>".
func (c KVConfig) Check() error {
	if err := CheckGlob("config.collection", string(c.Collection)); err != nil {
		return err
	}
	if c.Key != "" {
		if err := CheckGlob("config.key", string(c.Key)); err != nil {
			return err
		}
	}
	for _, op := range c.Operations {
		if !slices.Contains([]string{KVCreated, KVUpdated, KVDeleted}, op) {
			return InvalidField("config.operations", "%q is no operation: created, updated or deleted", op)
		}
	}
	return nil
}

// TriggerFilter narrows a list of triggers; "" = any.
type TriggerFilter struct {
	Kind   Kind
	Script string
}

// Triggers keeps the triggers. Every method gives NotFound "trigger_not_found" for an unknown id.
type Triggers interface {
	// CreateTrigger stores t (ID and times are given by the store). Conflict "trigger_exists" if the name is taken; Invalid on
	// "script" if there is no such script.
	CreateTrigger(ctx context.Context, t Trigger) (Trigger, error)
	Trigger(ctx context.Context, appID, id string) (Trigger, error)
	ListTriggers(ctx context.Context, appID string, filter TriggerFilter, page Page) (List[Trigger], error)
	// UpdateTrigger replaces all that may change: name, script, enabled, config, retry, depth and cycle. The kind stays.
	UpdateTrigger(ctx context.Context, t Trigger) (Trigger, error)
	DeleteTrigger(ctx context.Context, appID, id string) error
}
