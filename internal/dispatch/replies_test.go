package dispatch_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/picloud/picloud/internal/dispatch"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/testkit"
)

// ends are records by "app/execution", and whose callers have got them.
type ends struct {
	records  map[string]picloud.Execution
	received []string
}

func (e *ends) Execution(_ context.Context, appID, id string) (picloud.Execution, error) {
	x, ok := e.records[appID+"/"+id]
	if !ok {
		return x, errors.New("no such execution")
	}
	return x, nil
}

func (e *ends) Received(_ context.Context, id string) error {
	e.received = append(e.received, id)
	return nil
}

func TestReplies(t *testing.T) {
	t.Parallel()
	result := &picloud.Result{Value: []byte(`1`)}
	e := &ends{records: map[string]picloud.Execution{
		"app/waited": {Status: picloud.StatusSucceeded, Result: result}, "app/left": {Status: picloud.StatusSucceeded}, "app/runs": {Status: picloud.StatusRunning},
	}}
	inbox := dispatch.NewInbox("here")
	_, delivery, done := inbox.Open("waited")
	defer done()
	_, early, doneToo := inbox.Open("runs")
	defer doneToo()
	for _, id := range []string{"waited", "left", "runs", "unknown"} {
		replies := dispatch.NewReplies(e, inbox, testkit.SilentLog())
		replies.Ended("app", id)
		replies.Stop()
	}
	assert.Equal(t, picloud.Delivery{Status: picloud.StatusSucceeded, Result: result}, <-delivery)
	assert.Empty(t, early)
	assert.Equal(t, []string{"waited"}, e.received, "the end of the one who left stays abandoned")
}
