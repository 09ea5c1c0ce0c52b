package dispatch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/picloud/picloud/internal/picloud"
)

// The defaults of a SlotKeeper.
const (
	defaultSlotLook = 30 * time.Second
	defaultSlotAge  = time.Minute
	slotBatch       = 500
)

// Liveness says what runs. [picloud.Engine] is one.
type Liveness interface {
	// Running gives NotFound "execution_not_found" for an execution whose workflow is closed or was never there.
	Running(ctx context.Context, appID, executionID string) (picloud.Execution, error)
}

// SlotKeeper is the service that frees the slots of queues whose executions have ended without saying so, e.g. because somebody terminated their workflows: else
// max_concurrency would shrink for ever. Everything else gives its slot back in the transaction that ends it.
type SlotKeeper struct {
	slots picloud.Slots
	live  Liveness
	log   logrus.FieldLogger
	look  time.Duration
	age   time.Duration

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// NewSlotKeeper makes a keeper without starting it. It looks every look (0 = 30 s) at slots that are older than age (0 = 1 minute: a start takes some moments).
func NewSlotKeeper(slots picloud.Slots, live Liveness, log logrus.FieldLogger, look, age time.Duration) *SlotKeeper {
	if look <= 0 {
		look = defaultSlotLook
	}
	if age <= 0 {
		age = defaultSlotAge
	}
	return &SlotKeeper{slots: slots, live: live, log: log, look: look, age: age}
}

// Start begins to look, until Stop or the end of ctx.
func (k *SlotKeeper) Start(ctx context.Context) {
	ctx, k.cancel = context.WithCancel(ctx)
	k.done.Go(func() {
		for sleep(ctx, k.look) == nil {
			if err := k.free(ctx); err != nil && ctx.Err() == nil {
				k.log.WithError(err).Warn("cannot look after the slots of queues; trying again soon")
			}
		}
	})
}

// Stop ends the service and waits for it.
func (k *SlotKeeper) Stop() {
	if k.cancel != nil {
		k.cancel()
		k.done.Wait()
	}
}

// free frees the slots whose executions do not run.
func (k *SlotKeeper) free(ctx context.Context) error {
	for after := ""; ; {
		silent, err := k.slots.SilentSlots(ctx, k.age, after, slotBatch)
		if err != nil {
			return fmt.Errorf("read slots: %w", err)
		}
		for _, slot := range silent {
			after = slot.ExecutionID
			_, err := k.live.Running(ctx, slot.AppID, slot.ExecutionID)
			if err == nil {
				continue
			}
			if picloud.ErrorCode(err) != "execution_not_found" {
				return fmt.Errorf("ask for execution: %w", err)
			}
			if err := k.slots.ReleaseSlot(ctx, slot.ExecutionID); err != nil {
				return fmt.Errorf("free slot: %w", err)
			}
			k.log.WithField("execution", slot.ExecutionID).Warn("freed the slot of an execution that had ended without saying so")
		}
		if len(silent) < slotBatch {
			return nil
		}
	}
}
