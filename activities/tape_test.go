package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/activities"
	. "github.com/picloud/picloud/activities/activitiestest"
)

// What a run is repeated with is drawn in the activity, given to the sandbox, and recorded with its end, whatever that is.
func TestClockAndSeedAreRecorded(t *testing.T) {
	now := time.Date(2026, 5, 6, 7, 8, 9, 123456789, time.FixedZone("east", 3600))
	want := time.Date(2026, 5, 6, 6, 8, 9, 123456000, time.UTC)
	for name, script := range map[string]*Sandbox{"succeeds": {Script: Returns(`1`)}, "fails": {Script: Throws(thrown)}} {
		t.Run(name, func(t *testing.T) {
			journal := &Journal{}
			a := &activities.Activities{Journal: journal, Sandbox: script, Now: func() time.Time { return now }, Seed: func() int64 { return 42 }}
			_, err := runScript(t, a, input())
			run := script.Runs()[0]
			assert.Equal(t, want, run.Time)
			assert.Equal(t, int64(42), run.Seed)
			if name == "succeeds" {
				require.NoError(t, err)
				assert.Equal(t, want, journal.Commit("x").Clock)
				assert.Equal(t, int64(42), journal.Commit("x").Seed)
				return
			}
			require.Error(t, err)
			assert.Equal(t, want, journal.Attempts("x")[0].Clock)
			assert.Equal(t, int64(42), journal.Attempts("x")[0].Seed)
		})
	}
}
