package dispatch_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/dispatch"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/testkit"
)

const soon = 10 * time.Second

func start(t *testing.T, o picloud.Dispatching, s dispatch.Starter, options dispatch.Options) *dispatch.Dispatcher {
	t.Helper()
	d := dispatch.New(o, s, testkit.SilentLog(), options)
	require.NoError(t, d.Start(t.Context()))
	t.Cleanup(d.Stop)
	<-d.Started()
	return d
}

func ids(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("x%04d", i)
	}
	return ids
}

func TestDispatchesEveryFiringOnce(t *testing.T) {
	t.Parallel()
	o, s := newOutbox(), newStarter()
	o.add(ids(1050)...)
	start(t, o, s, dispatch.Options{Starts: 8})
	testkit.Until(t, soon, "outbox is empty", func() bool { return o.size() == 0 })
	assert.Equal(t, 1050, s.count())
	for id, n := range s.starts {
		assert.Equal(t, 1, n, id)
	}
	assert.LessOrEqual(t, s.most, 8)
}

func TestNotificationWakes(t *testing.T) {
	t.Parallel()
	o, s := newOutbox(), newStarter()
	start(t, o, s, dispatch.Options{Poll: time.Hour})
	testkit.Until(t, soon, "listening", func() bool { o.mu.Lock(); defer o.mu.Unlock(); return o.wake != nil && o.claims > 1 })
	o.add("x")
	testkit.Until(t, soon, "outbox is empty", func() bool { return o.size() == 0 })
	idle := func() int { o.mu.Lock(); defer o.mu.Unlock(); return o.claims }
	assert.LessOrEqual(t, idle(), 5, "no polling")
}

func TestRowsThatComeDueLater(t *testing.T) {
	t.Parallel()
	o, s := newOutbox(), newStarter()
	o.rows["later"], o.order = time.Now().Add(200*time.Millisecond), []string{"later"}
	start(t, o, s, dispatch.Options{Poll: time.Hour})
	testkit.Until(t, soon, "outbox is empty", func() bool { return o.size() == 0 })
}

func TestSlowStartHoldsNothingUp(t *testing.T) {
	t.Parallel()
	o, s := newOutbox(), newStarter()
	stuck := make(chan struct{})
	s.fails = func(id string) error {
		if id == "x0000" {
			<-stuck
		}
		return nil
	}
	o.add(ids(500)...)
	start(t, o, s, dispatch.Options{Starts: 2, Batch: 10})
	testkit.Until(t, soon, "all but one are dispatched", func() bool { return o.size() == 1 })
	close(stuck)
	testkit.Until(t, soon, "outbox is empty", func() bool { return o.size() == 0 })
}

// A backlog of one app, claimed or not, holds back nothing of another one, not even while all that may be on its way is stuck.
func TestBacklogOfOneAppHoldsBackNoOther(t *testing.T) {
	t.Parallel()
	o, s := newOutbox(), newStarter()
	stuck := make(chan struct{})
	s.fails = func(id string) error {
		if strings.HasPrefix(id, "noisy/") {
			<-stuck
		}
		return nil
	}
	var noisy []string
	for _, id := range ids(200) {
		noisy = append(noisy, "noisy/"+id)
	}
	o.add(noisy...)
	start(t, o, s, dispatch.Options{Starts: 2, Poll: time.Hour})
	testkit.Until(t, soon, "the noisy app is on its way", func() bool { return s.running() == 1 })
	o.add("quiet/1")
	testkit.Until(t, soon, "the quiet app is started", func() bool { return s.count() == 1 })
	o.add("quiet/2", "quiet/3")
	testkit.Until(t, soon, "it is again", func() bool { return s.count() == 3 })
	close(stuck)
	testkit.Until(t, soon, "outbox is empty", func() bool { return o.size() == 0 })
}

// With a Progress the next firing of an app waits for the work of those on their way, as long as it is soon done.
func TestStartsWaitForWork(t *testing.T) {
	t.Parallel()
	o, s, progress := newOutbox(), newStarter(), dispatch.NewProgress()
	working := make(chan string, 1000)
	var now, most atomic.Int64
	s.fails = func(id string) error {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		working <- id
		return nil
	}
	var app []string
	for _, id := range ids(300) {
		app = append(app, "app/"+id)
	}
	o.add(app...)
	start(t, o, s, dispatch.Options{Starts: 2, Progress: progress})
	for range app {
		id := <-working
		now.Add(-1)
		progress.Worked(id)
	}
	testkit.Until(t, soon, "outbox is empty", func() bool { return o.size() == 0 })
	assert.EqualValues(t, 1, most.Load(), "of one app one less than may be on their way")
}

func TestFailedStartsBackOff(t *testing.T) {
	t.Parallel()
	o, s := newOutbox(), newStarter()
	s.failing(func(id string) error {
		if id == "bad" {
			return errDown
		}
		return nil
	})
	o.add("bad", "good")
	start(t, o, s, dispatch.Options{})
	testkit.Until(t, soon, "bad is tried twice", func() bool { o.mu.Lock(); defer o.mu.Unlock(); return len(o.delays["bad"]) >= 2 })
	o.mu.Lock()
	defer o.mu.Unlock()
	assert.Equal(t, []time.Duration{time.Second, 2 * time.Second}, o.delays["bad"][:2])
	assert.NotContains(t, o.rows, "good")
}

func TestOutagesAreSurvivedAndLoggedOnce(t *testing.T) {
	t.Parallel()
	o, s := newOutbox(), newStarter()
	log, hook := test.NewNullLogger()
	d := dispatch.New(o, s, log, dispatch.Options{Poll: 10 * time.Millisecond})
	o.set(func(o *outbox) { o.down = true })
	require.NoError(t, d.Start(t.Context()))
	t.Cleanup(d.Stop)
	testkit.Until(t, soon, "outage is logged", func() bool { return len(hook.AllEntries()) > 0 })
	o.set(func(o *outbox) { o.down = false })
	<-d.Started()
	o.set(func(o *outbox) { o.deletes = 3 })
	o.add(ids(10)...)
	testkit.Until(t, soon, "outbox is empty", func() bool { return o.size() == 0 })
	counts := map[string]int{}
	for _, e := range hook.AllEntries() {
		counts[fmt.Sprint(e.Level, e.Data["of"])]++
	}
	assert.LessOrEqual(t, counts[fmt.Sprint(logrus.WarnLevel, "outbox")], 2, "one for each outage: %v", counts)
	assert.Equal(t, counts[fmt.Sprint(logrus.WarnLevel, "outbox")], counts[fmt.Sprint(logrus.InfoLevel, "outbox")])
}

func TestStopDrains(t *testing.T) {
	t.Parallel()
	o, s := newOutbox(), newStarter()
	s.block = make(chan struct{})
	o.add(ids(300)...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d := dispatch.New(o, s, testkit.SilentLog(), dispatch.Options{Starts: 2, Batch: 50})
	require.NoError(t, d.Start(ctx))
	testkit.Until(t, soon, "starts are in flight", func() bool { return s.running() == 2 })
	cancel()
	close(s.block)
	d.Stop()
	assert.Equal(t, 2, s.count(), "what is in flight is finished")
	assert.Equal(t, 298, o.size())
	firings, err := o.ClaimDue(t.Context(), 1000, time.Second)
	require.NoError(t, err)
	assert.Len(t, firings, 298, "and the rest is due at once, for another dispatcher")
	d.Stop()
}

func TestStartTwiceIsAMistake(t *testing.T) {
	t.Parallel()
	d := start(t, newOutbox(), newStarter(), dispatch.Options{})
	require.Error(t, d.Start(t.Context()))
	d.Stop()
}

func TestStopBeforeStart(t *testing.T) {
	t.Parallel()
	dispatch.New(newOutbox(), newStarter(), testkit.SilentLog(), dispatch.Options{}).Stop()
}

func TestEndOfContextStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	d := dispatch.New(newOutbox(), newStarter(), testkit.SilentLog(), dispatch.Options{})
	require.NoError(t, d.Start(ctx))
	cancel()
	d.Stop()
}
