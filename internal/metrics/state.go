package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/picloud/picloud/internal/picloud"
)

// The bounds of what a scrape may cost the database.
const (
	backlogTimeout = 5 * time.Second
	backlogAge     = 5 * time.Second // however many scrape, the database is asked no more often
)

// state is the collector of what is, in place of what has happened: it asks when it is scraped.
type state struct {
	backlogs picloud.Backlogs
	pool     func() picloud.SandboxStats

	mu   sync.Mutex // one question at a time; the firing path never takes it
	last picloud.Backlog
	read time.Time
}

func newState(backlogs picloud.Backlogs, pool func() picloud.SandboxStats) *state {
	return &state{backlogs: backlogs, pool: pool}
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

var (
	outboxDepth   = describe("outbox_firings", "Firings in the outbox: due, later (delays, leases, retries), lane (queues and flow control), parked (paused apps).", "state")
	outboxAge     = describe("outbox_oldest_due_seconds", "How long the oldest due firing has waited for a dispatcher.")
	queueDepth    = describe("queue_messages", "Messages that wait in a queue; the fullest 500 queues.", "app", "queue")
	queueAge      = describe("queue_oldest_due_seconds", "How long the oldest due message of a queue has waited.", "app", "queue")
	letters       = describe("dead_letters_unresolved", "Unresolved dead letters; the 500 apps with the most.", "app")
	backlogUp     = describe("backlog_up", "1 when the database answered for the gauges of outbox, queues and dead letters.")
	poolChildren  = describe("sandbox_children", "Child processes of the sandbox that are alive.")
	poolBusy      = describe("sandbox_busy", "Runs that the sandbox serves now.")
	poolSize      = describe("sandbox_size", "Runs that the sandbox may serve at once.")
	poolStarted   = describe("sandbox_children_started_total", "Child processes that were started.")
	poolEnded     = describe("sandbox_children_ended_total", "Child processes that ended, for whatever reason.")
	poolKilled    = describe("sandbox_children_killed_total", "Child processes that ended with a run: a limit, or their own death.")
	allStateDescs = []*prometheus.Desc{
		outboxDepth, outboxAge, queueDepth, queueAge, letters, backlogUp, poolChildren, poolBusy, poolSize, poolStarted, poolEnded, poolKilled,
	}
)

// Describe implements prometheus.Collector.
func (s *state) Describe(out chan<- *prometheus.Desc) {
	for _, d := range allStateDescs {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (s *state) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v int64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
	p := s.pool()
	gauge(poolChildren, float64(p.Children))
	gauge(poolBusy, float64(p.Busy))
	gauge(poolSize, float64(p.Size))
	count(poolStarted, p.Started)
	count(poolEnded, p.Ended)
	count(poolKilled, p.Killed)
	b, err := s.backlog()
	if err != nil {
		gauge(backlogUp, 0)
		return
	}
	gauge(backlogUp, 1)
	for state, n := range b.Outbox {
		gauge(outboxDepth, float64(n), state)
	}
	gauge(outboxAge, b.OldestDue)
	for _, q := range b.Queues {
		gauge(queueDepth, float64(q.Messages), q.App, q.Queue)
		gauge(queueAge, q.OldestDue, q.App, q.Queue)
	}
	for app, n := range b.DeadLetters {
		gauge(letters, float64(n), app)
	}
}

// backlog gives what waits, at most backlogAge old.
func (s *state) backlog() (picloud.Backlog, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.read.IsZero() && time.Since(s.read) < backlogAge {
		return s.last, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), backlogTimeout)
	defer cancel()
	b, err := s.backlogs.Backlog(ctx)
	if err == nil {
		s.last, s.read = b, time.Now()
	}
	return b, err
}
