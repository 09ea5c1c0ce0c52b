package store_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/testkit"
)

// TestEffectsStayInTheTrace: whatever a run does is in the trace of the event that fired it, under the span of its execution.
func TestEffectsStayInTheTrace(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	testkit.Script(t, s, app, "fulfil")
	subscribe(t, s, app, "topic", "*")
	testkit.KVTrigger(t, s, app, "keys", "fulfil", picloud.KVConfig{Collection: "*"}, nil)
	testkit.Trigger(t, s, app, picloud.Trigger{Name: "queue", Kind: picloud.KindQueue, Script: "fulfil", Queue: &picloud.QueueConfig{Queue: "q"}})
	f := firing(app, testkit.Script(t, s, app, "publisher"))
	f.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	_, err := commit(t, s, f, picloud.Outcome{Effects: []picloud.Effect{
		set("c", "k", "1"), publish("t", "1"), {Type: picloud.EffectQueueSend, Queue: "q", Value: json.RawMessage("1")},
	}})
	require.NoError(t, err)
	fired := claim(t, s)
	require.Len(t, fired, 3)
	for _, child := range fired {
		opened, err := s.OpenExecution(t.Context(), child)
		require.NoError(t, err)
		assert.Equal(t, picloud.ExecutionTrace(f.TraceParent, f.ExecutionID), opened.Event.TraceParent, string(child.Kind))
	}
}
