package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/testkit"
)

// The end of an execution whose caller waits elsewhere counts as abandoned once, when its grace is over and nobody has received it.
func TestEndsThatNobodyReceivesAreAbandoned(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	script := testkit.Script(t, s, app, "fulfil")
	end := picloud.Committed{Status: picloud.StatusSucceeded}
	count := func() int64 {
		n, err := s.CountAbandoned(t.Context(), app.ID)
		require.NoError(t, err)
		return n
	}
	gone, received, dead := firing(app, script), firing(app, script), firing(app, script)
	for range 2 { // an attempt may come twice
		require.NoError(t, s.RecordAbandoned(t.Context(), gone, end, 0))
		require.NoError(t, s.RecordAbandoned(t.Context(), received, end, time.Hour))
		require.NoError(t, s.RecordAbandoned(t.Context(), dead, end, 10*time.Millisecond))
	}
	require.NoError(t, s.Received(t.Context(), received.ExecutionID))
	require.NoError(t, s.Received(t.Context(), gone.ExecutionID), "what counts already stays")
	testkit.Until(t, 20*time.Second, "the dead process's counts", func() bool { return count() == 2 })
	list, err := s.ListAbandoned(t.Context(), app.ID, picloud.Page{Limit: 10})
	require.NoError(t, err)
	var ids []string
	for _, x := range list.Items {
		ids = append(ids, x.ExecutionID)
	}
	assert.ElementsMatch(t, []string{gone.ExecutionID, dead.ExecutionID}, ids)
}
