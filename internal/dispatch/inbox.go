package dispatch

import (
	"strings"
	"sync"

	"github.com/picloud/picloud/internal/picloud"
)

// rememberedDeliveries is how many deliveries an Inbox remembers, so that one that is made again (its first run's answer was lost) is not taken
// for one whose caller is gone.
const rememberedDeliveries = 4096

// Inbox is where the callers of this process wait for the end of their executions. It implements [picloud.Inbox]; addresses are
// "<process id>/<execution id>", with the id by which the process attends.
type Inbox struct {
	process string

	mu        sync.Mutex
	waiting   map[string]chan picloud.Delivery // by execution id
	delivered map[string]struct{}              // the latest, by execution id
	ring      []string                         // what delivered holds, oldest at next
	next      int
}

var _ picloud.Inbox = (*Inbox)(nil)

// NewInbox makes an empty inbox of the process with that id.
func NewInbox(process string) *Inbox {
	return &Inbox{
		process:   process,
		waiting:   make(map[string]chan picloud.Delivery),
		delivered: make(map[string]struct{}),
		ring:      make([]string, rememberedDeliveries),
	}
}

// Open makes an inbox for one execution. When the caller stops waiting it must call done, which may be called again.
func (i *Inbox) Open(executionID string) (address string, delivery <-chan picloud.Delivery, done func()) {
	c := make(chan picloud.Delivery, 1)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.waiting[executionID] = c
	return i.address(executionID), c, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.waiting[executionID] == c {
			delete(i.waiting, executionID)
		}
	}
}

func (i *Inbox) address(executionID string) string { return i.process + "/" + executionID }

// Deliver hands over the end of an execution, once.
func (i *Inbox) Deliver(address, executionID string, d picloud.Delivery) picloud.DeliveryResult {
	if process, _, _ := strings.Cut(address, "/"); process != i.process {
		return picloud.DeliveredElsewhere
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, again := i.delivered[executionID]; again {
		return picloud.Delivered
	}
	c, open := i.waiting[executionID]
	if !open {
		return picloud.CallerGone
	}
	c <- d // has room for the one delivery
	delete(i.waiting, executionID)
	i.remember(executionID)
	return picloud.Delivered
}

// Waiting implements picloud.Inbox.
func (i *Inbox) Waiting(address, executionID string) (w picloud.Waiting, process string) {
	process, _, _ = strings.Cut(address, "/")
	if process != i.process {
		return picloud.WaitsElsewhere, process
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, open := i.waiting[executionID]; open {
		return picloud.WaitsHere, process
	}
	return picloud.WaitsNoMore, process
}

// remember keeps the id of a delivery in place of the oldest one's.
func (i *Inbox) remember(executionID string) {
	delete(i.delivered, i.ring[i.next])
	i.ring[i.next] = executionID
	i.delivered[executionID] = struct{}{}
	i.next = (i.next + 1) % len(i.ring)
}
