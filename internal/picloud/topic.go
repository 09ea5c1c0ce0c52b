package picloud

import (
	"context"
	"encoding/json"
	"strings"
)

// PubSubConfig is the config of a pubsub trigger: messages on the topics that it matches.
type PubSubConfig struct {
	Topic Glob `json:"topic"`
}

// Check says what is wrong with the config; fields are named "config.<field>".
func (c PubSubConfig) Check() error { return CheckGlob("config.topic", string(c.Topic)) }

// Published is a message that is stored with its firings.
type Published struct {
	EventID    string
	Executions []string // ids of the executions that it fires
}

// Topics takes messages for whoever has subscribed.
type Topics interface {
	// Publish makes the event of a message and fires every enabled pubsub trigger of the app that its topic matches, in one transaction: when it
	// returns, the firings are durable. Data is JSON. The topic is checked by CheckTopic before.
	Publish(ctx context.Context, app App, topic string, data json.RawMessage, from Origin) (Published, error)
}

// MaxTopicLength is the longest name of a topic, in bytes.
const MaxTopicLength = 256

// CheckTopic says what is wrong with the name of a topic: a message has one topic, so it is no glob.
func CheckTopic(topic string) error { return checkAddress("topic", "topic", topic) }

// checkAddress says what is wrong with a name that messages are sent to; what says what it names.
func checkAddress(field, what, name string) error {
	if err := checkKVName(field, name, MaxTopicLength); err != nil {
		return err
	}
	if strings.Contains(name, "*") {
		return InvalidField(field, "may not contain a star: a message has one %s", what)
	}
	return nil
}
