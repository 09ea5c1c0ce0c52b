package api

import (
	"context"
	"errors"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// maxWait bounds ?wait= of an execution.
const maxWait = 60 * time.Second

// The delays between two looks at an execution that no workflow can be awaited for: it is queued, or it just ended.
const (
	firstLook = 20 * time.Millisecond
	lastLook  = 500 * time.Millisecond
)

// engineFault gives an error of the engine as Unavailable "engine_unavailable", unless it is one of the domain or the caller's own end.
func engineFault(err error) error {
	if picloud.AsError(err) != nil || errors.Is(err, context.Canceled) {
		return err
	}
	return &picloud.Error{Kind: picloud.Unavailable, Code: "engine_unavailable", Message: "the engine does not answer: try again", Cause: err}
}

// isNoExecution says whether err is the store's or the engine's "there is no such execution".
func isNoExecution(err error) bool { return picloud.ErrorCode(err) == "execution_not_found" }

// findExecution gives an execution wherever it is: in the store (queued, finished) or in the engine (running). NotFound "execution_not_found".
func (s *server) findExecution(ctx context.Context, app picloud.App, id string) (picloud.Execution, error) {
	if !isID(id) {
		return picloud.Execution{}, missing("execution", id)
	}
	stored, err := s.Executions.Execution(ctx, app.ID, id)
	if err == nil && stored.Status.Final() {
		return stored, nil
	}
	if err != nil && !isNoExecution(err) {
		return picloud.Execution{}, err
	}
	if err == nil {
		id = stored.ID // that of the batch, where a message of a queue is asked for
	}
	running, engineErr := s.Engine.Running(ctx, app.ID, id)
	switch {
	case engineErr == nil:
		return s.Executions.Progress(ctx, running)
	case !isNoExecution(engineErr):
		return picloud.Execution{}, engineFault(engineErr)
	case err == nil:
		return stored, nil
	default: // neither has it, unless it ended between the two questions
		return s.Executions.Execution(ctx, app.ID, id)
	}
}

// waitExecution gives an execution as soon as it is over, or as it is when wait is over.
func (s *server) waitExecution(ctx context.Context, app picloud.App, id string, wait time.Duration) (picloud.Execution, error) {
	waiting, stop := context.WithTimeout(ctx, wait)
	defer stop()
	closed := false // the workflow is, and so there is nothing more to await
	for look := firstLook; ; look = min(2*look, lastLook) {
		x, err := s.findExecution(ctx, app, id)
		if err != nil || x.Status.Final() || waiting.Err() != nil {
			return x, err
		}
		if x.Status != picloud.StatusQueued && !closed {
			if closed = s.awaitRunning(waiting, app, x.ID); closed {
				continue
			}
		}
		select {
		case <-waiting.Done():
		case <-time.After(look):
		}
		if err := ctx.Err(); err != nil {
			return x, err
		}
	}
}

// awaitRunning waits for the end of an execution that runs; false when ctx is over or the engine does not answer. The end is in the store before the workflow is closed, long before where the
// engine has a backlog: so the store is asked too.
func (s *server) awaitRunning(ctx context.Context, app picloud.App, id string) bool {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	closed := make(chan error, 1)
	go func() { closed <- s.Engine.Await(ctx, id) }()
	for look := firstLook; ; look = min(2*look, lastLook) {
		select {
		case err := <-closed:
			return err == nil
		case <-time.After(look):
			if x, err := s.Executions.Execution(ctx, app.ID, id); err == nil && x.Status.Final() {
				return true
			}
		}
	}
}

// awaitAfter is how long the answer of an own inbox is waited for before the engine is asked too. Nearly all answers come sooner, and then the long poll, which
// costs the engine more than it costs to run a small script, is never made.
const awaitAfter = 50 * time.Millisecond

// errWaitExpired says that the caller's time is over and the run goes on.
var errWaitExpired = errors.New("wait expired")

// errWaitCanceled says that the caller's time is over and the run is canceled for that.
var errWaitCanceled = errors.New("wait expired: canceled")

// errLost is the end of an execution whose workflow was closed without an end of its own, e.g. terminated by hand.
var errLost = errors.New("execution closed without a result")

// awaitEnd waits for the end of a started execution: from the inbox, or, when another node ran it, by the engine. errWaitExpired after wait.
func (s *server) awaitEnd(
	ctx context.Context, appID, id string, delivery <-chan picloud.Delivery, wait time.Duration,
) (picloud.Committed, error) {
	waiting, stop := context.WithTimeout(ctx, wait)
	defer stop()
	soon := time.NewTimer(awaitAfter)
	defer soon.Stop()
	closed := make(chan error, 1)
	for {
		select {
		case d := <-delivery:
			return d, nil
		case <-soon.C:
			go func() { closed <- s.Engine.Await(waiting, id) }()
		case err := <-closed:
			if waiting.Err() != nil || errors.Is(err, context.DeadlineExceeded) { // which the engine's connection may see a moment earlier
				continue // the wait is over: a next round says so
			}
			if err != nil {
				return picloud.Committed{}, engineFault(err)
			}
			x, err := s.Executions.Execution(ctx, appID, id)
			if err != nil && !isNoExecution(err) {
				return picloud.Committed{}, err
			}
			if err != nil || !x.Status.Final() {
				return picloud.Committed{}, errLost
			}
			if err := s.Abandoned.Received(ctx, id); err != nil { // the caller has its answer all the same
				s.Log.WithError(err).WithField("execution", id).Warn("cannot say that the end of an execution was received: it will be shown as abandoned")
			}
			return x.End(), nil
		case <-waiting.Done():
			select {
			case d := <-delivery:
				return d, nil
			default:
			}
			if err := ctx.Err(); err != nil {
				return picloud.Committed{}, err
			}
			return picloud.Committed{}, errWaitExpired
		}
	}
}
