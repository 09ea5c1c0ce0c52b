package picloud

import (
	"encoding/json"
	"time"
)

// EffectType says what an effect does.
type EffectType string

// The types of effects.
const (
	EffectKVSet        EffectType = "kv.set"
	EffectKVDelete     EffectType = "kv.delete"
	EffectTopicPublish EffectType = "topic.publish"
	EffectQueueSend    EffectType = "queue.send"
	EffectEmailSend    EffectType = "email.send"
)

// Effect is one change that a run asked for. Effects are buffered during the run and committed in its order, in one transaction with the
// execution's row.
type Effect struct {
	Type       EffectType    `json:"type"`
	Collection string        `json:"collection,omitempty"`
	Key        string        `json:"key,omitempty"`
	Topic      string        `json:"topic,omitempty"`
	Queue      string        `json:"queue,omitempty"`
	Delay      time.Duration `json:"delay,omitempty"`
	Priority   int           `json:"priority,omitempty"`
	// OrderingKey is that of a message to a queue.
	OrderingKey string          `json:"ordering_key,omitempty"`
	To          []string        `json:"to,omitempty"`      // of a mail: everybody who gets it
	Subject     string          `json:"subject,omitempty"` // of a mail
	Size        int             `json:"size,omitempty"`    // of a mail, in bytes of its JSON
	Value       json.RawMessage `json:"value,omitempty"`   // what is set, published or sent; of a mail only until its commit
}

// Kept is the effect as the record of an execution has it: of a mail without the mail itself.
func (e Effect) Kept() Effect {
	if e.Type == EffectEmailSend {
		e.Value = nil
	}
	return e
}

// ReadSet is what a run read: the commit finds it unchanged, or the script is run again.
type ReadSet struct {
	Keys  []KeyRead
	Lists []ListRead
}

// KeyRead is one key that was read, with the version seen; 0 = it was not there.
type KeyRead struct {
	Collection, Key string
	Version         int64
}

// ListRead is one list that was read: the same question must give the same keys with the same versions.
type ListRead struct {
	Collection, Prefix string
	Page               Page
	Seen               []KeyRead
}
