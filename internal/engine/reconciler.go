package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/picloud/picloud/internal/picloud"
)

// Reconciler is the service that keeps the Schedules of cron triggers equal to the triggers: at its start, after each change that it is told of, and from time to time, so that a
// Schedule that somebody has deleted or changed comes back, and one whose trigger is gone goes. It also sees to it that every bulk replay that is to run has its workflow. One in a
// cluster is enough; more do no harm.
type Reconciler struct {
	engine   *Engine
	triggers picloud.Ticks
	bulk     picloud.BulkWork // nil = none
	log      logrus.FieldLogger
	every    time.Duration

	cancel context.CancelFunc
	done   sync.WaitGroup
}

var _ picloud.Schedules = (*Reconciler)(nil)

// defaultReconcile is the time between two looks at everything.
const defaultReconcile = time.Minute

// NewReconciler makes a reconciler without starting it; bulk may be nil; every is the time between two looks at everything, 0 = a minute.
func NewReconciler(e *Engine, triggers picloud.Ticks, bulk picloud.BulkWork, log logrus.FieldLogger, every time.Duration) *Reconciler {
	if every <= 0 {
		every = defaultReconcile
	}
	return &Reconciler{engine: e, triggers: triggers, bulk: bulk, log: log, every: every}
}

// Start begins to reconcile, until Stop or the end of ctx. It does not wait for the first round: while database or engine are away it tries again.
func (r *Reconciler) Start(ctx context.Context) {
	ctx, r.cancel = context.WithCancel(ctx)
	r.done.Go(func() {
		ticker := time.NewTicker(r.every)
		defer ticker.Stop()
		for {
			if err := r.Reconcile(ctx); err != nil && ctx.Err() == nil {
				r.log.WithError(err).Warn("cannot see to schedules and bulk replays; trying again soon")
			}
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
}

// Stop ends the service and waits for it.
func (r *Reconciler) Stop() {
	if r.cancel != nil {
		r.cancel()
		r.done.Wait()
	}
}

// Reconcile makes all Schedules equal to the triggers, and starts the bulk replays that are to run. What is in order costs nothing but the lists.
func (r *Reconciler) Reconcile(ctx context.Context) error {
	return errors.Join(r.reconcileSchedules(ctx), r.resumeBulkReplays(ctx))
}

// resumeBulkReplays starts the workflows of bulk replays that have none: their process died before it could start them, or somebody has terminated them.
func (r *Reconciler) resumeBulkReplays(ctx context.Context) error {
	if r.bulk == nil {
		return nil
	}
	running, err := r.bulk.RunningBulkReplays(ctx)
	if err != nil {
		return fmt.Errorf("read running bulk replays: %w", err)
	}
	var all error
	for _, b := range running {
		all = errors.Join(all, r.engine.StartBulkReplay(ctx, b))
	}
	return all
}

func (r *Reconciler) reconcileSchedules(ctx context.Context) error {
	// The Schedules are read first: one that is in this list and whose trigger is not in the younger one is an orphan, and not a trigger's that was made meanwhile.
	present, err := r.engine.schedules(ctx)
	if err != nil {
		return err
	}
	triggers, err := r.triggers.CronTriggers(ctx, "")
	if err != nil {
		return fmt.Errorf("read cron triggers: %w", err)
	}
	var all error
	for _, t := range triggers {
		if note, ok := present[t.ID]; !ok || note != noteOf(t) {
			all = errors.Join(all, r.engine.putSchedule(ctx, t))
		}
		delete(present, t.ID)
	}
	for orphan := range present {
		all = errors.Join(all, r.engine.removeSchedule(ctx, orphan))
	}
	return all
}

// SyncSchedule implements picloud.Schedules.
func (r *Reconciler) SyncSchedule(ctx context.Context, triggerID string) error {
	triggers, err := r.triggers.CronTriggers(ctx, triggerID)
	if err != nil {
		return fmt.Errorf("read cron trigger: %w", err)
	}
	if len(triggers) == 0 {
		return r.engine.removeSchedule(ctx, triggerID)
	}
	return r.engine.putSchedule(ctx, triggers[0])
}

// ScheduleState implements picloud.Schedules.
func (r *Reconciler) ScheduleState(ctx context.Context, triggerID string) (picloud.ScheduleState, error) {
	return r.engine.scheduleState(ctx, triggerID)
}

// Backfill implements picloud.Schedules.
func (r *Reconciler) Backfill(ctx context.Context, triggerID string, b picloud.Backfill) error {
	return r.engine.backfill(ctx, triggerID, b)
}
