package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/testkit"
)

func TestBacklogTellsWhatWaits(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	script := testkit.Script(t, s, app, "fulfil")
	subscribe(t, s, app, "topic", "*")
	testkit.Trigger(t, s, app, picloud.Trigger{Name: "queue", Kind: picloud.KindQueue, Script: "fulfil", Queue: &picloud.QueueConfig{Queue: "mail"}})
	empty, err := s.Backlog(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]int64{"due": 0, "later": 0, "lane": 0, "parked": 0}, empty.Outbox)
	assert.Zero(t, empty.OldestDue)

	for range 3 {
		_, err := s.Publish(t.Context(), app, "t", json.RawMessage(`1`), nobody)
		require.NoError(t, err)
	}
	for _, delay := range []time.Duration{0, time.Hour} {
		_, err := s.Send(t.Context(), app, picloud.QueueMessage{Queue: "mail", Data: json.RawMessage(`1`), Delay: delay}, nobody)
		require.NoError(t, err)
	}
	bury(t, s, firing(app, script), broken)
	b, err := s.Backlog(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]int64{"due": 3, "later": 0, "lane": 2, "parked": 0}, b.Outbox)
	assert.Positive(t, b.OldestDue)
	assert.Equal(t, map[string]int64{"shop": 1}, b.DeadLetters)
	require.Len(t, b.Queues, 1)
	assert.Equal(t, []any{"shop", "mail", int64(2)}, []any{b.Queues[0].App, b.Queues[0].Queue, b.Queues[0].Messages})
	assert.Positive(t, b.Queues[0].OldestDue)
}
