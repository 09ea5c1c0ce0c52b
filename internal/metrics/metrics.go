// Package metrics counts what the instance does, for Prometheus. Labels are names of the platform and of the users' apps and queues, never payload, and their number is bounded. On the firing
// path a metric costs an atomic addition; what waits is asked of the database when somebody scrapes, by plain reads, and remembered for some seconds.
package metrics

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/picloud/picloud/internal/picloud"
)

const namespace = "picloud"

// Metrics are those of one process, in a registry of their own.
type Metrics struct {
	registry   *prometheus.Registry
	executions *prometheus.CounterVec
	duration   *prometheus.HistogramVec
	waited     *prometheus.HistogramVec
	failures   *prometheus.CounterVec
	claims     prometheus.Counter
	claimed    prometheus.Counter
	claimFault prometheus.Counter
	requests   *prometheus.CounterVec
	latency    *prometheus.HistogramVec
}

// New makes the metrics; backlog and pool are asked when they are scraped.
func New(backlog picloud.Backlogs, pool func() picloud.SandboxStats) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
	}
	seconds := []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}
	m := &Metrics{
		registry:   prometheus.NewRegistry(),
		executions: counter("executions_total", "Executions that ended in this process, by the kind of their trigger and how they ended.", "kind", "status"),
		duration:   histogram("execution_duration_seconds", "From the start of an execution's first attempt to its end, retries and the pauses between them included.", seconds, "kind"),
		waited:     histogram("execution_wait_seconds", "From the event to the start of the first attempt.", seconds, "kind"),
		failures:   counter("failed_attempts_total", "Attempts of scripts that failed, by the reason.", "reason"),
		claims:     prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "dispatch_claims_total", Help: "Claims that the dispatcher of this process made at the outbox."}),
		claimed:    prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "dispatch_claimed_firings_total", Help: "Firings that these claims gave."}),
		claimFault: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "dispatch_claim_faults_total", Help: "Claims that failed."}),
		requests:   counter("http_requests_total", "Requests by door (the first part of the address), method and status.", "door", "method", "code"),
		latency:    histogram("http_request_duration_seconds", "Time to the end of the answer.", seconds, "door"),
	}
	m.registry.MustRegister(m.executions, m.duration, m.waited, m.failures, m.claims, m.claimed, m.claimFault, m.requests, m.latency,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newState(backlog, pool))
	return m
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second, ErrorHandling: promhttp.ContinueOnError})
}

// doors are the first parts of addresses that have a label of their own.
var doors = map[string]bool{"v1": true, "run": true, "temporal": true, "docs": true, "healthz": true, "readyz": true, "metrics": true}

// methods are those that have a label of their own.
var methods = map[string]bool{"GET": true, "HEAD": true, "POST": true, "PUT": true, "PATCH": true, "DELETE": true, "OPTIONS": true}

// known gives the word, or "other".
func known(words map[string]bool, word string) string {
	if words[word] {
		return word
	}
	return "other"
}

// HTTP counts the requests that next serves.
func (m *Metrics) HTTP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		door, method := known(doors, first), known(methods, r.Method)
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		began := time.Now()
		defer func() {
			m.requests.WithLabelValues(door, method, strconv.Itoa(recorder.status)).Inc()
			m.latency.WithLabelValues(door).Observe(time.Since(began).Seconds())
		}()
		next.ServeHTTP(recorder, r)
	})
}

// statusRecorder notes the status; http.ResponseController reaches the writer below by Unwrap.
type statusRecorder struct {
	http.ResponseWriter

	status int
}

func (s *statusRecorder) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// Flush implements http.Flusher.
func (s *statusRecorder) Flush() { _ = http.NewResponseController(s.ResponseWriter).Flush() }
