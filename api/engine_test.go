package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/picloud/picloud/internal/picloud"
)

// testID is a UUIDv7 that grows with n.
func testID(n int) string { return fmt.Sprintf("01900000-0000-7000-8000-%012d", n) }

// fakeEngine ends what it starts at once, as the script's name says; see Start.
type fakeEngine struct {
	store   *memory
	inbox   *fakeInbox
	mu      sync.Mutex
	started []picloud.Firing
	running map[string]picloud.Execution
	closed  map[string]chan struct{} // of running ones: Await blocks on it
	down    error
	cancels []string
}

func newFakeEngine(store *memory, inbox *fakeInbox) *fakeEngine {
	return &fakeEngine{store: store, inbox: inbox, running: map[string]picloud.Execution{}, closed: map[string]chan struct{}{}}
}

// Start runs scripts by their names: "hello" answers with its event's data, "throws" fails, "timeout" hits its limit, "response" makes a Response,
// "binary" a Response that is no text, "badstatus" one without a final status, "nothing" returns nothing, "slow" never ends, "elsewhere" ends on another
// node (no delivery), "lost" closes without an end.
func (e *fakeEngine) Start(_ context.Context, f picloud.Firing) error {
	if e.down != nil {
		return e.down
	}
	e.mu.Lock()
	e.started = append(e.started, f)
	e.mu.Unlock()
	end := picloud.Committed{Status: picloud.StatusSucceeded}
	var event picloud.Event
	if f.Event != nil {
		event = *f.Event
	}
	switch f.Script {
	case "throws":
		end = picloud.Committed{Status: picloud.StatusFailed, Error: &picloud.ScriptError{Reason: picloud.ReasonScriptError, Type: "TypeError", Message: "x is undefined"}}
	case "timeout":
		end = picloud.Committed{Status: picloud.StatusFailed, Error: &picloud.ScriptError{Reason: picloud.ReasonTimeout, Type: "WallLimitExceeded", Message: "10s"}}
	case "response":
		end.Result = &picloud.Result{Response: &picloud.Response{Status: 201, Body: []byte("made"), Headers: [][2]string{
			{"X-Own", "a"}, {"X-Own", "b"}, {"content-type", "text/x-own"}, {"Connection", "close"}, {"Content-Length", "999"}, {"X-PiCloud-Execution", "forged"},
		}}}
	case "binary":
		end.Result = &picloud.Result{Response: &picloud.Response{Status: 200, Body: []byte{0xff, 0xfe}}}
	case "badstatus":
		end.Result = &picloud.Result{Response: &picloud.Response{Status: 101}}
	case "nothing":
	case "slow":
		e.run(f)
		return nil
	case "lost":
		return nil
	default:
		end.Result = &picloud.Result{Value: event.Data}
		if event.Data == nil {
			end.Result = &picloud.Result{Value: json.RawMessage(`"done"`)}
		}
	}
	e.commit(f, end)
	if f.Script != "elsewhere" {
		e.inbox.Deliver(f.ReplyTo, f.ExecutionID, end)
	}
	return nil
}

func (e *fakeEngine) run(f picloud.Firing) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running[f.ExecutionID] = picloud.Execution{
		ID: f.ExecutionID, AppID: f.AppID, Status: picloud.StatusRunning, Script: f.Script, Version: f.Version, Kind: f.Kind, Depth: 1, RootID: f.RootID,
		Principal: f.Principal, QueuedAt: day, StartedAt: day,
	}
	e.closed[f.ExecutionID] = make(chan struct{})
}

func (e *fakeEngine) commit(f picloud.Firing, end picloud.Committed) {
	e.store.mu.Lock()
	defer e.store.mu.Unlock()
	e.store.executions[f.ExecutionID] = picloud.Execution{
		ID: f.ExecutionID, AppID: f.AppID, Status: end.Status, Script: f.Script, Version: f.Version, Trigger: f.Trigger, Kind: f.Kind, Event: f.Event,
		Result: end.Result, Error: end.Error, Depth: f.Depth, RootID: f.RootID, Principal: f.Principal, QueuedAt: day, StartedAt: day, FinishedAt: day,
	}
}

// finish ends a running execution.
func (e *fakeEngine) finish(id string) {
	e.mu.Lock()
	x := e.running[id]
	delete(e.running, id)
	closed := e.closed[id]
	e.mu.Unlock()
	x.Status, x.FinishedAt = picloud.StatusSucceeded, day
	e.store.mu.Lock()
	e.store.executions[id] = x
	e.store.mu.Unlock()
	close(closed)
}

func (e *fakeEngine) Await(ctx context.Context, id string) error {
	e.mu.Lock()
	closed := e.closed[id]
	e.mu.Unlock()
	if closed == nil {
		return nil
	}
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("await execution: %w", ctx.Err())
	}
}

func (e *fakeEngine) Running(_ context.Context, _, id string) (picloud.Execution, error) {
	if e.down != nil {
		return picloud.Execution{}, e.down
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if x, ok := e.running[id]; ok {
		return x, nil
	}
	return picloud.Execution{}, picloud.NotFoundError("execution", id)
}

func (e *fakeEngine) ListRunning(_ context.Context, _ picloud.App, _ picloud.ExecutionFilter, page picloud.Page) (picloud.List[picloud.Execution], error) {
	if e.down != nil {
		return picloud.List[picloud.Execution]{}, e.down
	}
	items := sortedValues(e.running)
	slices.Reverse(items)
	page.Limit = 1 // so that its own paging is walked
	return pageOf(items, page, func(x picloud.Execution) string { return x.ID }, less), nil
}

func (e *fakeEngine) Cancel(_ context.Context, id string) error {
	e.cancels = append(e.cancels, id)
	return nil
}

func (e *fakeEngine) CancelMany(_ context.Context, _ picloud.App, f picloud.ExecutionFilter, limit int) ([]string, bool, error) {
	if e.down != nil {
		return nil, false, e.down
	}
	var ids []string
	for id, x := range e.running {
		if f.Script == "" || f.Script == x.Script {
			e.cancels = append(e.cancels, id)
			ids = append(ids, id)
		}
	}
	return ids[:min(len(ids), limit)], len(ids) > limit, nil
}

func (e *fakeEngine) URL(_ picloud.Kind, id string) string { return "http://temporal.test/" + id }

// fakeInbox is the inbox of one process.
type fakeInbox struct {
	mu   sync.Mutex
	open map[string]chan picloud.Delivery
}

func newFakeInbox() *fakeInbox { return &fakeInbox{open: map[string]chan picloud.Delivery{}} }

func (i *fakeInbox) Open(id string) (string, <-chan picloud.Delivery, func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	box := make(chan picloud.Delivery, 1)
	i.open[id] = box
	return "here/" + id, box, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		delete(i.open, id)
	}
}

func (i *fakeInbox) Deliver(_, id string, d picloud.Delivery) picloud.DeliveryResult {
	i.mu.Lock()
	defer i.mu.Unlock()
	box, ok := i.open[id]
	if !ok {
		return picloud.CallerGone
	}
	box <- d
	return picloud.Delivered
}

// Waiting implements picloud.Inbox.
func (i *fakeInbox) Waiting(_, id string) (picloud.Waiting, string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, open := i.open[id]; open {
		return picloud.WaitsHere, "here"
	}
	return picloud.WaitsNoMore, "here"
}

var errDown = errors.New("connection refused at 10.0.0.1")
