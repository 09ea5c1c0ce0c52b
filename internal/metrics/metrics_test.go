package metrics_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/metrics"
	"github.com/picloud/picloud/internal/picloud"
)

// backlog answers with what it holds, and counts the questions.
type backlog struct {
	held  picloud.Backlog
	err   error
	asked int
}

func (b *backlog) Backlog(context.Context) (picloud.Backlog, error) {
	b.asked++
	return b.held, b.err
}

// ends is a journal that stores nothing.
type ends struct {
	picloud.Journal

	err error
}

func (e ends) CommitExecution(_ context.Context, _ picloud.Firing, c picloud.Commit) (picloud.Committed, error) {
	return picloud.Committed{Status: c.Status}, e.err
}
func (e ends) RecordAttempt(context.Context, picloud.Firing, picloud.Attempt) error { return e.err }
func (e ends) BuryExecution(context.Context, picloud.Firing, picloud.ScriptError, int, time.Time) (string, error) {
	return "letter", e.err
}

func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, rec.Code)
	body, err := io.ReadAll(rec.Body)
	require.NoError(t, err)
	problems, err := promlint.New(strings.NewReader(string(body))).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)
	return string(body)
}

func pool() picloud.SandboxStats {
	return picloud.SandboxStats{Children: 4, Busy: 1, Size: 8, Started: 9, Ended: 5, Killed: 2}
}

func TestWhatHappensIsCounted(t *testing.T) {
	t.Parallel()
	b := &backlog{held: picloud.Backlog{
		Outbox: map[string]int64{"due": 3, "lane": 2}, OldestDue: 1.5, DeadLetters: map[string]int64{"shop": 7},
		Queues: []picloud.QueueBacklog{{App: "shop", Queue: "mail", Messages: 2, OldestDue: 0.5}},
	}}
	m := metrics.New(b, pool)
	now := time.Now()
	f := picloud.Firing{Kind: picloud.KindKV, QueuedAt: now.Add(-time.Second)}
	j := m.Journal(ends{})
	_, err := j.CommitExecution(t.Context(), f, picloud.Commit{Status: picloud.StatusSucceeded, StartedAt: now})
	require.NoError(t, err)
	require.NoError(t, j.RecordAttempt(t.Context(), f, picloud.Attempt{Error: &picloud.ScriptError{Reason: picloud.ReasonTimeout}}))
	_, err = j.BuryExecution(t.Context(), f, picloud.ScriptError{}, 1, now)
	require.NoError(t, err)
	_, err = j.BuryExecution(t.Context(), picloud.Firing{Kind: picloud.KindDeadLetter}, picloud.ScriptError{}, 1, now)
	require.NoError(t, err)
	_, err = m.Journal(ends{err: errors.New("down")}).CommitExecution(t.Context(), f, picloud.Commit{Status: picloud.StatusSucceeded})
	require.Error(t, err)
	served := m.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1") {
			w.WriteHeader(http.StatusConflict)
		}
	}))
	for method, path := range map[string]string{"PUT": "/v1/apps/secret-name", "BREW": "/some/thing"} {
		served.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), method, path, nil))
	}
	text := scrape(t, m)
	for _, line := range []string{
		`picloud_executions_total{kind="kv",status="succeeded"} 1`, `picloud_executions_total{kind="kv",status="dead_lettered"} 1`,
		`picloud_executions_total{kind="dead_letter",status="failed"} 1`, `picloud_failed_attempts_total{reason="timeout"} 1`,
		`picloud_execution_wait_seconds_bucket{kind="kv",le="1"} 2`, `picloud_outbox_firings{state="due"} 3`, `picloud_outbox_firings{state="lane"} 2`,
		`picloud_outbox_oldest_due_seconds 1.5`, `picloud_queue_messages{app="shop",queue="mail"} 2`, `picloud_dead_letters_unresolved{app="shop"} 7`, `picloud_backlog_up 1`,
		`picloud_sandbox_children 4`, `picloud_sandbox_busy 1`, `picloud_sandbox_children_killed_total 2`,
		`picloud_http_requests_total{code="409",door="v1",method="PUT"} 1`, `picloud_http_requests_total{code="200",door="other",method="other"} 1`,
	} {
		assert.Contains(t, text, line+"\n")
	}
	assert.NotContains(t, text, "secret-name")
	asked := b.asked
	scrape(t, m)
	assert.Equal(t, asked, b.asked, "the database is not asked at every scrape")
}

func TestScrapesGoOnWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	text := scrape(t, metrics.New(&backlog{err: errors.New("down")}, pool))
	assert.Contains(t, text, "picloud_backlog_up 0\n")
	assert.NotContains(t, text, "picloud_outbox_firings{")
	assert.Contains(t, text, "picloud_sandbox_size 8\n")
}

// TestTheDashboardAsksForWhatThereIs: every metric that the Grafana dashboard names is one of these.
func TestTheDashboardAsksForWhatThereIs(t *testing.T) {
	t.Parallel()
	dashboard, err := os.ReadFile("../../deployments/grafana/picloud.json")
	require.NoError(t, err)
	b := &backlog{held: picloud.Backlog{
		Outbox: map[string]int64{"due": 1}, DeadLetters: map[string]int64{"a": 1}, Queues: []picloud.QueueBacklog{{App: "a", Queue: "q"}},
	}}
	m := metrics.New(b, pool)
	f := picloud.Firing{Kind: picloud.KindKV}
	_, err = m.Journal(ends{}).CommitExecution(t.Context(), f, picloud.Commit{
		Status: picloud.StatusFailed, StartedAt: time.Now(), Outcome: picloud.Outcome{Failure: &picloud.ScriptError{Reason: picloud.ReasonTimeout}},
	})
	require.NoError(t, err)
	m.HTTP(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	text := scrape(t, m)
	names := regexp.MustCompile(`picloud_[a-z_]+`).FindAllString(string(dashboard), -1)
	require.Greater(t, len(names), 10)
	for _, name := range names {
		assert.Contains(t, text, "\n"+name, "the dashboard asks for it")
	}
}
