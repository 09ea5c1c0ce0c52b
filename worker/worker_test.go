package worker_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/activities"
	"github.com/picloud/picloud/activities/activitiestest"
	"github.com/picloud/picloud/internal/engine/enginetest"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/testkit"
	"github.com/picloud/picloud/worker"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// TestWorkerDeath has a worker that dies, or is stopped, while a script runs on it: another one takes over, and no attempt of the script is lost.
func TestWorkerDeath(t *testing.T) {
	t.Parallel()
	ignores := make(chan struct{})
	t.Cleanup(func() { close(ignores) })
	for name, dies := range map[string]activitiestest.Script{
		"stopped": activitiestest.Hangs(), // hears of the stop, and is handed back
		"killed": func(context.Context, picloud.Run) (picloud.Outcome, error) { // falls silent
			<-ignores
			return picloud.Outcome{}, context.Canceled
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := enginetest.Namespace(t)
			journal := &activitiestest.Journal{}
			throws := activitiestest.Throws(picloud.ScriptError{Reason: picloud.ReasonScriptError, Type: "TypeError", Message: "no"})
			begin := func(script activitiestest.Script) (*worker.Workers, *activitiestest.Sandbox) {
				sandbox := &activitiestest.Sandbox{Script: script}
				w := worker.New(enginetest.New(t, namespace).Client(), &activities.Activities{Journal: journal, Sandbox: sandbox},
					worker.Options{StopTimeout: time.Second})
				require.NoError(t, w.Start())
				return w, sandbox
			}
			first, before := begin(activitiestest.InTurn(throws, dies))
			f := picloud.Firing{
				ExecutionID: testkit.Unique("x"), AppID: "a", App: "shop", Script: "fulfil", Version: 1, Kind: picloud.KindKV, RootID: "r", Depth: 1,
				MaxDepth: 16, Wall: time.Second, Retry: picloud.DefaultRetryPolicy,
			}
			f.Retry.InitialInterval = 10 * time.Millisecond
			e := enginetest.New(t, namespace)
			require.NoError(t, e.Start(t.Context(), f))
			testkit.Until(t, 20*time.Second, "the second attempt runs", func() bool { return len(before.Runs()) == 2 })
			first.Stop()
			second, after := begin(throws)
			defer second.Stop()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			require.NoError(t, e.Await(ctx, f.ExecutionID))
			var attempts []int
			for _, r := range after.Runs() {
				attempts = append(attempts, r.Attempt)
			}
			assert.Equal(t, []int{2, 3}, attempts, "the attempt that was cut off is made again")
			assert.Equal(t, 3, journal.Letters()[f.ExecutionID].Attempts)
		})
	}
}
