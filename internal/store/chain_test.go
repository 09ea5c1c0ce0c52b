package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store"
	"github.com/picloud/picloud/internal/testkit"
)

func TestChainIsTheWholeTree(t *testing.T) {
	t.Parallel()
	s, app := budgeted(t, picloud.Budget{Executions: 12})
	subscribe(t, s, app, "boom", "*")
	sent, err := s.Publish(t.Context(), app, "bang", []byte("0"), picloud.Origin{})
	require.NoError(t, err)
	queued, err := s.Chain(t.Context(), app.ID, sent.EventID, 100)
	require.NoError(t, err)
	require.Len(t, queued.Links, 1)
	assert.Equal(t, picloud.StatusQueued, queued.Links[0].Status)
	assert.Equal(t, "pubsub bang", queued.Links[0].What)

	got := grow(t, s, publishes(3))
	require.Len(t, got.cut, 1)
	letter, err := s.BuryExecution(t.Context(), got.cut[0], *got.cut[0].Cut(), 0, time.Now())
	require.NoError(t, err)
	chain, err := s.Chain(t.Context(), app.ID, sent.EventID, 100)
	require.NoError(t, err)
	require.Len(t, chain.Links, 13)
	assert.False(t, chain.More)
	assert.EqualValues(t, 1+12*3-12-1, chain.Cut, "what the twelve fired, less what ran and the one with the letter")
	letters := 0
	for _, l := range chain.Links {
		assert.Equal(t, "boom", l.Trigger)
		if l.DeadLetterID != "" {
			letters++
			assert.Equal(t, letter, l.DeadLetterID)
		}
	}
	assert.Equal(t, 1, letters)
	part, err := s.Chain(t.Context(), app.ID, sent.EventID, 5)
	require.NoError(t, err)
	assert.True(t, part.More)
	assert.Len(t, part.Links, 5)
	none, err := s.Chain(t.Context(), newID(), sent.EventID, 5)
	require.NoError(t, err)
	assert.Empty(t, none.Links, "another app's")
}

// What is queued is canceled by filter, once, and gives the slots that it holds back.
func TestCancelQueuedMany(t *testing.T) {
	t.Parallel()
	s, app := budgeted(t, picloud.Budget{})
	subscribe(t, s, app, "boom", "*")
	queueTrigger(t, s, app)
	for i := range 7 {
		_, err := s.Publish(t.Context(), app, "bang", []byte(fmt.Sprint(i)), picloud.Origin{})
		require.NoError(t, err)
	}
	send := func() {
		_, err := s.Send(t.Context(), app, picloud.QueueMessage{Queue: "mail", Data: []byte("1")}, picloud.Origin{})
		require.NoError(t, err)
	}
	send()
	send()
	cancel := func(f picloud.ExecutionFilter, limit int) int {
		n, err := s.CancelQueuedMany(t.Context(), app.ID, f, limit)
		require.NoError(t, err)
		return n
	}
	claimed := claim(t, s)
	require.Len(t, claimed, 8, "one of the queue's two may go")
	assert.Zero(t, cancel(picloud.ExecutionFilter{Script: "other"}, 100))
	assert.Zero(t, cancel(picloud.ExecutionFilter{Root: newID()}, 100))
	assert.Equal(t, 5, cancel(picloud.ExecutionFilter{Trigger: "boom"}, 5))
	assert.Equal(t, 2, cancel(picloud.ExecutionFilter{Kind: picloud.KindPubSub, Since: time.Now().Add(-time.Hour)}, 100))
	assert.Zero(t, cancel(picloud.ExecutionFilter{Kind: picloud.KindPubSub}, 100))
	assert.Equal(t, 2, cancel(picloud.ExecutionFilter{}, 100))
	list, err := s.ListExecutions(t.Context(), app.ID, picloud.ExecutionFilter{Status: picloud.StatusCanceled}, picloud.Page{Limit: 50})
	require.NoError(t, err)
	assert.Len(t, list.Items, 9)
	// A workflow that was on its way finds the end, and runs nothing.
	opened, err := s.OpenExecution(t.Context(), claimed[0])
	require.NoError(t, err)
	assert.Equal(t, picloud.StatusCanceled, opened.Committed.Status)
	send()
	assert.Len(t, claim(t, s), 1, "the slot is free")
}

func queueTrigger(t *testing.T, s *store.Store, app picloud.App) {
	t.Helper()
	testkit.Trigger(t, s, app, picloud.Trigger{Name: "mail", Kind: picloud.KindQueue, Script: "fulfil", Queue: &picloud.QueueConfig{Queue: "mail", MaxConcurrency: 1}})
}
