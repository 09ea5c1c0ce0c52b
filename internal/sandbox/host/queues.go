package host

import (
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// Queues is what a run sends to queues: effects beside its kv writes, as Topics.
type Queues struct{ session *KV }

// NewQueues adds queues to the session of a run.
func NewQueues(session *KV) Queues { return Queues{session} }

// Register adds the queue operations to a table.
func (q Queues) Register(t Table) { t[frame.OpQueueSend] = q.send }

func (q Queues) send(call frame.Call, body []byte) (Answer, Later, error) {
	if call.DelayMS < 0 || call.DelayMS > picloud.MaxQueueDelay.Milliseconds() {
		return Throw("TypeError", `delay must be "0s" to "168h"`), nil, nil
	}
	m := picloud.QueueMessage{Queue: call.To, Delay: time.Duration(call.DelayMS) * time.Millisecond, Priority: call.Priority, OrderingKey: call.Order}
	if err := m.Check(); err != nil {
		return Throw("TypeError", nameFault(err)), nil, nil
	}
	return q.session.send(picloud.Effect{Type: picloud.EffectQueueSend, Queue: m.Queue, Delay: m.Delay, Priority: m.Priority, OrderingKey: m.OrderingKey, Value: body})
}
