package picloud

import (
	"encoding/json"
	"time"
)

// Event is a CloudEvents 1.0 envelope with PiCloud's extensions.
// Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
type Event struct {
	SpecVersion     string          `json:"specversion"` // "1.0"
	ID              string          `json:"id"`          // UUIDv7
	Source          string          `json:"source"`      // /apps/<app>/<kind>/<what>
	Type            string          `json:"type"`        // picloud.kv.created, …
	Subject         string          `json:"subject,omitempty"`
	Time            time.Time       `json:"time"`
	DataContentType string          `json:"datacontenttype,omitempty"`
	Data            json.RawMessage `json:"data,omitempty"`
	RootID          string          `json:"rootid"`             // id of the event that started the tree; its own at the root
	ParentID        string          `json:"parentid,omitempty"` // id of the execution whose effect the event is
	Depth           int             `json:"depth"`              // 1 for an event from outside
	TraceParent     string          `json:"traceparent,omitempty"`
	ReplayOf        string          `json:"replayof,omitempty"` // id of the dead letter
	// PartitionKey is the ordering key of a message to a queue, under the name of CloudEvents' extension.
	// Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/partitioning.md
	PartitionKey string `json:"partitionkey,omitempty"`
}

// The types of events.
const (
	TypeHTTPRequest       = "picloud.http.request"
	TypeKVCreated         = "picloud.kv.created"
	TypeKVUpdated         = "picloud.kv.updated"
	TypeKVDeleted         = "picloud.kv.deleted"
	TypeTopicMessage      = "picloud.topic.message"
	TypeDeadLetterCreated = "picloud.dead_letter.created"
	TypeCronTick          = "picloud.cron.tick"
	TypeQueueMessage      = "picloud.queue.message"
	TypeQueueBatch        = "picloud.queue.message.batch" // its data is a list of BatchMessage
	TypeEmailReceived     = "picloud.email.received"
	TypeMailOutgoing      = "picloud.mail.outgoing" // a mail of a script on its way to the relay; its data is a Mail
)

// Origin is where a change comes from: who does it, and within which tree of executions.
type Origin struct {
	Principal   string // who
	RootID      string // "" for a change from outside: the event that it makes is a root
	ExecutionID string // "" for a change from outside
	Depth       int    // of the execution that does it; 0 for a change from outside
	TraceParent string
}
