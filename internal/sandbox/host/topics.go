package host

import (
	"encoding/json"
	"fmt"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// Topics is what a run publishes: effects that stand in one buffer, and under the same limits, with its kv writes.
type Topics struct{ session *KV }

// NewTopics adds topics to the session of a run.
func NewTopics(session *KV) Topics { return Topics{session} }

// Register adds the topic operations to a table.
func (p Topics) Register(t Table) { t[frame.OpTopicPublish] = p.publish }

func (p Topics) publish(call frame.Call, body []byte) (Answer, Later, error) {
	if err := picloud.CheckTopic(call.To); err != nil {
		return Throw("TypeError", nameFault(err)), nil, nil
	}
	return p.session.send(picloud.Effect{Type: picloud.EffectTopicPublish, Topic: call.To, Value: body})
}

// send buffers the effect of a message, whose data is the effect's value.
func (k *KV) send(e picloud.Effect) (Answer, Later, error) {
	if len(e.Value) > k.limits.PayloadBytes {
		return Throw("RangeError", fmt.Sprintf("the data has %d bytes, the payload limit is %d", len(e.Value), k.limits.PayloadBytes)), nil, nil
	}
	if !json.Valid(e.Value) {
		return Throw("TypeError", "the data is not JSON"), nil, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return Answer{}, nil, k.buffer(e)
}
