package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

// CancelExecution implements Leaving.
func (m *memory) CancelExecution(_ context.Context, f picloud.Firing, _ time.Time, why *picloud.ScriptError) (picloud.Committed, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.noCancels != nil {
		return picloud.Committed{}, m.noCancels
	}
	x, ok := m.executions[f.ExecutionID]
	if !ok {
		x = picloud.Execution{ID: f.ExecutionID, AppID: f.AppID, Script: f.Script, Kind: f.Kind, Status: picloud.StatusCanceled, Error: why}
		m.executions[x.ID] = x
	}
	return picloud.Committed{Status: x.Status, Error: x.Error}, nil
}

// RecordAbandoned implements Leaving.
func (m *memory) RecordAbandoned(_ context.Context, f picloud.Firing, c picloud.Committed, _ time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.abandoned = append(m.abandoned, picloud.AbandonedExecution{ExecutionID: f.ExecutionID, Script: f.Script, Committed: c})
	return nil
}

func (m *memory) Attend(ctx context.Context, h picloud.Hearing) error {
	h.Present()
	<-ctx.Done()
	return ctx.Err()
}

// Grant implements picloud.Grants: everybody may do everything.
func (m *memory) Grant(context.Context, picloud.App, string) (*picloud.Grant, error) { return nil, nil }

// LetterGrant implements picloud.Grants.
func (m *memory) LetterGrant(context.Context, picloud.App, picloud.DeadLetter) (*picloud.Grant, error) {
	return nil, nil
}

func (m *memory) Present(context.Context, string) (bool, error) { return true, nil }

func (m *memory) SayEnded(context.Context, string, string, string) error { return nil }

func (m *memory) StopRuns(_ context.Context, ids ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopped = append(m.stopped, ids...)
	return nil
}

// leaver is a world with a trigger of the script slow whose callers take their executions with them, and none that is abandoned.
func leaver(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.abandoned = nil
	w.triggers = append(w.triggers, picloud.Trigger{
		ID: testID(90), AppID: "app-shop", Name: "hasty", Kind: picloud.KindHTTP, Script: "slow", Enabled: true, RegisteredByPrincipal: "someone",
		HTTP: &picloud.HTTPConfig{Mode: picloud.HTTPSync, Auth: picloud.HTTPAuthKey, OnDisconnect: picloud.DisconnectCancels},
	})
	return w
}

func TestCallerThatLeavesTakesItsExecutionAlong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		headers map[string]string
		leaves  bool
		status  int
		why     string
	}{
		"closed connection": {leaves: true, status: statusClientGone, why: "it closed the connection"},
		"wait is over":      {headers: map[string]string{"Prefer": "wait=1"}, status: http.StatusGatewayTimeout, why: "its time was over"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := leaver(t)
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				if c.leaves {
					time.AfterFunc(time.Second, leave)
				}
				rec := w.do(ctx, "GET", "/run/shop/slow", ``, c.headers)
				require.Equal(t, c.status, rec.Code, rec.Body.String())
				f := w.engine.started[0]
				require.Equal(t, picloud.DisconnectCancels, f.OnDisconnect)
				x := w.executions[f.ExecutionID]
				require.Equal(t, picloud.StatusCanceled, x.Status)
				require.Equal(t, "CallerLeft: the caller has left: "+c.why+"; on_disconnect of the trigger hasty is cancel", x.Error.Error())
				require.Equal(t, []string{f.ExecutionID}, w.stopped)
				require.Empty(t, w.abandoned)
				require.Empty(t, w.inbox.open)
				if !c.leaves {
					require.Contains(t, rec.Body.String(), `"code":"wait_expired"`)
					require.Contains(t, rec.Body.String(), "it is canceled, with no effect")
					require.Equal(t, f.ExecutionID, rec.Header().Get("X-Picloud-Execution"))
				}
			})
		})
	}
}

// What has committed when its caller leaves is not canceled: one who is still there gets it, and one who has gone has abandoned it.
func TestCallerThatLeavesAfterTheCommit(t *testing.T) {
	t.Parallel()
	for name, leaves := range map[string]bool{"closed connection": true, "wait is over": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := leaver(t)
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				end := picloud.Committed{Status: picloud.StatusSucceeded, Result: &picloud.Result{Value: json.RawMessage(`"at last"`)}}
				time.AfterFunc(900*time.Millisecond, func() {
					id := w.engine.started[0].ExecutionID
					w.mu.Lock()
					w.executions[id] = picloud.Execution{ID: id, AppID: "app-shop", Status: end.Status, Result: end.Result}
					w.mu.Unlock()
					if leaves {
						leave()
						w.inbox.Deliver("here/"+id, id, end)
						return
					}
					time.AfterFunc(deliveryGrace/2, func() { w.inbox.Deliver("here/"+id, id, end) })
				})
				rec := w.do(ctx, "GET", "/run/shop/slow", ``, map[string]string{"Prefer": "wait=1"})
				require.Empty(t, w.stopped)
				if leaves {
					require.Len(t, w.abandoned, 1, rec.Body.String())
					require.Equal(t, end, w.abandoned[0].Committed)
					return
				}
				require.Equal(t, 200, rec.Code, rec.Body.String())
				require.JSONEq(t, `"at last"`, rec.Body.String())
				require.Empty(t, w.abandoned)
			})
		})
	}
}

// Where the record cannot be written the execution goes on, as it would without the setting.
func TestCallerThatLeavesWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := leaver(t)
		w.noCancels = errors.New("database is away")
		rec := w.do(t.Context(), "GET", "/run/shop/slow", ``, map[string]string{"Prefer": "wait=1"})
		require.Equal(t, http.StatusGatewayTimeout, rec.Code)
		require.Contains(t, rec.Body.String(), "it runs on")
		require.Empty(t, w.stopped)
		require.Len(t, w.engine.running, 1)
		require.Contains(t, w.log.String(), "cannot cancel an execution whose caller has left")
	})
}

// An Idempotency-Key whose execution was canceled for its caller runs again: nothing came of it.
func TestIdempotencyKeyOfACanceledCallRunsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := leaver(t)
		headers := map[string]string{"Prefer": "wait=1", "Idempotency-Key": "k"}
		call := func() *httptest.ResponseRecorder { return w.do(t.Context(), "POST", "/run/shop/slow", ``, headers) }
		first, second := call(), call()
		require.Equal(t, []int{504, 504}, []int{first.Code, second.Code}, second.Body.String())
		require.NotEqual(t, first.Header().Get("X-Picloud-Execution"), second.Header().Get("X-Picloud-Execution"))
		require.Len(t, w.engine.started, 2)
	})
}
