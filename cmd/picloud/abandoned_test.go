package main_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/testkit"
)

// gate is an outside that scripts ask: it says who has come, holds them until it is opened, and says who has gone without waiting.
type gate struct {
	*httptest.Server

	mutex   sync.Mutex
	came    map[string]int
	gone    map[string]int
	release chan struct{}
}

func newGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{came: map[string]int{}, gone: map[string]int{}, release: make(chan struct{})}
	g.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		g.count(g.came, r)
		select {
		case <-g.release:
		case <-r.Context().Done():
			g.count(g.gone, r)
		}
	}))
	t.Cleanup(func() {
		g.CloseClientConnections()
		g.Close()
	})
	return g
}

func (g *gate) count(m map[string]int, r *http.Request) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	m[r.URL.Query().Get("id")]++
}

// times gives how often somebody has come, and gone.
func (g *gate) times(id string) (came, gone int) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.came[id], g.gone[id]
}

func (g *gate) open() { close(g.release) }

// atTheGate is a script that stands at the gate, and would keep that it came through.
const atTheGate = `export default async (event: any, ctx: any) => {
	const { id, gate } = event.data.query;
	await ctx.kv.set("through", id, ((await ctx.kv.get("through", id)) ?? 0) + 1);
	await fetch(gate + "/?id=" + id);
	return { id };
}`

// waiters are an app with the script short, and long, which may run for a minute, each with a trigger whose callers take their executions along and one whose callers do not.
func waiters(t *testing.T, up *testkit.Instance) {
	t.Helper()
	deploy(t, up, `
  - { name: hasty, kind: http, script: short, config: { path: /hasty, on_disconnect: cancel } }
  - { name: patient, kind: http, script: short, config: { path: /patient, on_disconnect: continue } }
  - { name: hasty-long, kind: http, script: long, config: { path: /hasty, on_disconnect: cancel } }
  - { name: patient-long, kind: http, script: long, config: { path: /patient } }
`, map[string]string{"short": atTheGate, "long": atTheGate + "\n"})
	put, err := up.Client.PutScriptWithBodyWithResponse(t.Context(), "shop", "long", "application/json",
		strings.NewReader(fmt.Sprintf(`{"source":%q,"language":"ts","limits":{"wall":"1m"}}`, atTheGate)))
	require.NoError(t, err)
	require.Less(t, put.StatusCode(), 300, string(put.Body))
}

// call calls a trigger of a script and gives what came back; an error where the caller left, or the server.
func call(ctx context.Context, up *testkit.Instance, g *gate, script, trigger, id, prefer string) (answered, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, up.URL+"/run/shop/"+script+"/"+trigger+"?id="+id+"&gate="+g.URL, nil)
	if err != nil {
		return answered{}, err
	}
	r.Header.Set("Authorization", "Bearer "+up.Key)
	if prefer != "" {
		r.Header.Set("Prefer", prefer)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return answered{}, err
	}
	defer answer.Body.Close() //nolint:errcheck // nobody reads it
	return answered{answer.StatusCode, answer.Header}, nil
}

// callOf gives the one execution of a trigger that was called with the id, once it has ended: while it runs, its event is with its workflow alone.
func callOf(t *testing.T, up *testkit.Instance, trigger, id string) *client.Execution {
	t.Helper()
	found, err := up.Client.ListExecutionsWithResponse(t.Context(), "shop", &client.ListExecutionsParams{Trigger: &trigger})
	require.NoError(t, err)
	require.NotNil(t, found.JSON200, string(found.Body))
	for _, s := range found.JSON200.Items {
		got, err := up.Client.GetExecutionWithResponse(t.Context(), "shop", s.ID, &client.GetExecutionParams{})
		require.NoError(t, err)
		if got.JSON200 != nil && got.JSON200.Event != nil && strings.Contains(string(got.JSON200.Event.Data), `"`+id+`"`) {
			return got.JSON200
		}
	}
	return nil
}

// abandoned gives the abandoned executions, of which as many are counted.
func abandoned(t *testing.T, up *testkit.Instance) []client.AbandonedExecution {
	t.Helper()
	var items []client.AbandonedExecution
	testkit.Eventually(t, settling, func() error { // the list and the count are two questions
		listed, err := up.Client.ListAbandonedExecutionsWithResponse(t.Context(), "shop", &client.ListAbandonedExecutionsParams{})
		require.NoError(t, err)
		counted, err := up.Client.CountAbandonedExecutionsWithResponse(t.Context(), "shop")
		require.NoError(t, err)
		if items = listed.JSON200.Items; counted.JSON200.Count != int64(len(items)) {
			return fmt.Errorf("%d of %d", len(items), counted.JSON200.Count)
		}
		return nil
	})
	return items
}

// isCanceled checks that an execution was canceled for its caller: its script has left the gate without going through, and nothing came of it.
func isCanceled(t *testing.T, up *testkit.Instance, g *gate, trigger, id string) {
	t.Helper()
	var x *client.Execution
	testkit.Until(t, settling, id+" is canceled", func() bool {
		x = callOf(t, up, trigger, id)
		return x != nil && x.Status == "canceled"
	})
	require.NotNil(t, x.Error)
	assert.Equal(t, "CallerLeft", x.Error.Type)
	assert.Contains(t, x.Error.Message, "on_disconnect of the trigger "+trigger+" is cancel")
	t.Logf("%s: %s", id, x.Error.Message)
	testkit.Until(t, settling, "the script of "+id+" is stopped", func() bool {
		came, gone := g.times(id)
		return came == gone
	})
	assert.NotContains(t, list(t, up, "through"), id)
}

// closedInTheWorkflow waits until nothing of the app runs in the engine, and so checks that canceled executions end there too.
func closedInTheWorkflow(t *testing.T, up *testkit.Instance) {
	t.Helper()
	status := "running"
	testkit.Eventually(t, settling, func() error {
		found, err := up.Client.ListExecutionsWithResponse(t.Context(), "shop", &client.ListExecutionsParams{Status: &status})
		require.NoError(t, err)
		if n := len(found.JSON200.Items); n > 0 {
			return fmt.Errorf("%d still run", n)
		}
		return nil
	})
}

// A caller leaves in the middle, by closing the connection or at the end of its patience: its execution goes on and is abandoned, or is stopped and has no effect, as the trigger says.
func TestCallersThatLeave(t *testing.T) {
	up := testkit.Up(t, "PICLOUD_FETCH_ALLOW_PRIVATE=true")
	waiters(t, up)
	g := newGate(t)
	for _, c := range []struct{ script, trigger, id string }{
		{"short", "hasty", "closed"}, {"long", "hasty", "closed-long"}, {"short", "patient", "closed-patient"},
	} {
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() {
			_, err := call(ctx, up, g, c.script, c.trigger, c.id, "")
			left <- err
		}()
		testkit.Until(t, settling, c.id+" is at the gate", func() bool { came, _ := g.times(c.id); return came == 1 })
		leave()
		require.ErrorIs(t, <-left, context.Canceled)
	}
	for _, c := range []struct{ script, trigger, id, says string }{
		{"short", "hasty", "late", "canceled"}, {"long", "hasty", "late-long", "canceled"}, {"short", "patient", "late-patient", "running"},
	} {
		answer, err := call(t.Context(), up, g, c.script, c.trigger, c.id, "wait=1")
		require.NoError(t, err)
		assert.Equal(t, http.StatusGatewayTimeout, answer.StatusCode, c.id)
		got, err := up.Client.GetExecutionWithResponse(t.Context(), "shop", answer.Header.Get("X-Picloud-Execution"), &client.GetExecutionParams{})
		require.NoError(t, err)
		require.NotNil(t, got.JSON200, string(got.Body))
		assert.Equal(t, client.ExecutionStatus(c.says), got.JSON200.Status, "as soon as it is answered")
	}
	isCanceled(t, up, g, "hasty", "closed")
	isCanceled(t, up, g, "hasty", "late")
	isCanceled(t, up, g, "hasty-long", "closed-long")
	isCanceled(t, up, g, "hasty-long", "late-long")
	assert.Empty(t, abandoned(t, up))

	g.open()
	testkit.Until(t, settling, "the others are abandoned", func() bool { return len(abandoned(t, up)) == 2 })
	for _, x := range abandoned(t, up) {
		assert.Equal(t, []string{"short", "patient", "succeeded"}, []string{x.Script, *x.Trigger, string(x.Status)})
		assert.Contains(t, string(x.Result), "-patient")
	}
	assert.Equal(t, map[string]string{"closed-patient": "1", "late-patient": "1"}, list(t, up, "through"))
	closedInTheWorkflow(t, up)
}

// The server that a caller is connected to is stopped, or dies: the caller has left.
func TestCallersOfAServerThatEnds(t *testing.T) {
	for name, c := range map[string]struct {
		patient string // the script that nobody stops: a short one would come to its own limit while the server stops
		trigger string
		end     func(up *testkit.Instance) error
	}{
		"stopped": {"long", "patient-long", (*testkit.Instance).Stop},
		"killed":  {"short", "patient", func(up *testkit.Instance) error { up.Kill(); return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := testkit.Up(t, "PICLOUD_FETCH_ALLOW_PRIVATE=true")
			waiters(t, up)
			g := newGate(t)
			var callers sync.WaitGroup
			for _, c := range []struct{ script, trigger, id string }{{"short", "hasty", "h"}, {"long", "hasty", "l"}, {c.patient, "patient", "p"}} {
				callers.Go(func() {
					_, err := call(t.Context(), up, g, c.script, c.trigger, c.id, "")
					assert.Error(t, err, "no answer to %s", c.id)
				})
				testkit.Until(t, settling, c.id+" is at the gate", func() bool { came, _ := g.times(c.id); return came == 1 })
			}
			require.NoError(t, c.end(up))
			callers.Wait()

			up = testkit.Up(t, "PICLOUD_FETCH_ALLOW_PRIVATE=true", "PICLOUD_DATA_DIR="+up.DataDir)
			isCanceled(t, up, g, "hasty", "h")
			isCanceled(t, up, g, "hasty-long", "l")
			for _, id := range []string{"h", "l"} {
				came, _ := g.times(id)
				assert.Equal(t, 1, came, "what is canceled does not run again")
			}
			g.open()
			testkit.Until(t, settling, "the patient one is abandoned", func() bool { return len(abandoned(t, up)) == 1 })
			assert.Equal(t, []string{c.trigger, "succeeded"}, []string{*abandoned(t, up)[0].Trigger, string(abandoned(t, up)[0].Status)})
			assert.Equal(t, map[string]string{"p": "1"}, list(t, up, "through"))
			closedInTheWorkflow(t, up)
		})
	}
}
