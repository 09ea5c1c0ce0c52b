package dispatch_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/activities/activitiestest"
	"github.com/picloud/picloud/internal/dispatch"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/testkit"
	"github.com/picloud/picloud/workflows"
)

// A workflow that is terminated by hand gives no slot back: the keeper does, and the queue goes on.
func TestTerminatedExecutionsHoldNoSlot(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, activitiestest.Hangs())
	testkit.Trigger(t, p.store, p.app, picloud.Trigger{Name: "mailer", Kind: picloud.KindQueue, Script: "fulfil", Queue: &picloud.QueueConfig{Queue: "mail", MaxConcurrency: 1}})
	d := dispatch.New(p.store, p.engine, testkit.SilentLog(), dispatch.Options{})
	require.NoError(t, d.Start(t.Context()))
	t.Cleanup(d.Stop)
	keeper := dispatch.NewSlotKeeper(p.store, p.engine, testkit.SilentLog(), time.Millisecond, time.Millisecond)
	keeper.Start(t.Context())
	t.Cleanup(keeper.Stop)
	var ids []string
	for range 2 {
		sent, err := p.store.Send(t.Context(), p.app, picloud.QueueMessage{Queue: "mail", Data: json.RawMessage(`1`)}, picloud.Origin{Principal: "tester"})
		require.NoError(t, err)
		ids = append(ids, sent.Executions...)
	}
	running := func(id string) error {
		_, err := p.engine.Running(t.Context(), p.app.ID, id)
		return err
	}
	for i, id := range ids {
		testkit.Eventually(t, time.Minute, func() error { return running(id) })
		if i+1 < len(ids) {
			x, err := p.store.Execution(t.Context(), p.app.ID, ids[i+1])
			require.NoError(t, err)
			require.Equal(t, picloud.StatusQueued, x.Status, "its turn has not come")
		}
		require.NoError(t, p.engine.Client().TerminateWorkflow(t.Context(), workflows.ExecutionID(id), "", "by hand"))
		testkit.Eventually(t, time.Minute, func() error {
			if running(id) == nil {
				return errors.New("it runs")
			}
			return nil
		})
	}
}
