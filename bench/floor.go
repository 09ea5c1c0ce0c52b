package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/picloud/picloud/internal/testkit"
)

const floorQueue = "bench-floor"

// floor is the least that a durable execution costs: a workflow whose one local activity does nothing.
type floor struct {
	client client.Client
	worker worker.Worker
	ran    atomic.Int64
}

func newFloor(address string) (*floor, error) {
	c, err := client.Dial(client.Options{HostPort: address, Logger: testkit.SilentTemporalLogger()})
	if err != nil {
		return nil, fmt.Errorf("dial temporal: %w", err)
	}
	f := &floor{client: c, worker: worker.New(c, floorQueue, worker.Options{})}
	f.worker.RegisterWorkflowWithOptions(nothingWorkflow, workflow.RegisterOptions{Name: "Nothing"})
	f.worker.RegisterActivityWithOptions(f.nothing, activity.RegisterOptions{Name: "nothing"})
	if err := f.worker.Start(); err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	return f, nil
}

func (f *floor) close() {
	f.worker.Stop()
	f.client.Close()
}

func nothingWorkflow(ctx workflow.Context) error {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Minute})
	return workflow.ExecuteLocalActivity(ctx, "nothing").Get(ctx, nil)
}

func (f *floor) nothing(context.Context) error {
	f.ran.Add(1)
	return nil
}

// rate runs n of them, so many at a time, and gives how many were done a second. One at a time each is awaited to its close; more at a time the next is
// started as soon as one is, and the last ones are awaited: asking for every result would cost what PiCloud's own dispatch does not pay.
func (f *floor) rate(ctx context.Context, n, atATime int) (float64, error) {
	before := f.ran.Load()
	began := time.Now()
	err := each(n, atATime, func(i int) error {
		r, err := f.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: floorQueue, EnableEagerStart: true}, "Nothing")
		if err == nil && (atATime == 1 || i >= n-atATime) {
			err = r.Get(ctx, nil)
		}
		return err
	})
	took := time.Since(began)
	if err != nil {
		return 0, fmt.Errorf("run floor: %w", err)
	}
	if ran := f.ran.Load() - before; ran < int64(n) {
		return 0, fmt.Errorf("run floor: %d of %d ran", ran, n)
	}
	return float64(n) / took.Seconds(), nil
}
