package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

const (
	// absentFor is how long a process must be absent to count as dead: it may only be connecting to the database again.
	absentFor = 2 * time.Second
	// callerLook is the pause between two looks at the process of a caller who waits elsewhere.
	callerLook = 2 * time.Second
)

// awaited says whether what becomes of the execution depends on its caller.
func (r *run) awaited() bool {
	return r.firing.ReplyTo != "" && r.firing.OnDisconnect == picloud.DisconnectCancels && r.Inbox != nil && r.Presence != nil
}

// left says how the caller of an execution that is to be canceled without one has left: from the inbox here, or with the process that it waited in. "" = it waits.
func (r *run) left(ctx context.Context) (how string, err error) {
	if !r.awaited() {
		return "", nil
	}
	waiting, process := r.Inbox.Waiting(r.firing.ReplyTo, r.firing.ExecutionID)
	switch waiting {
	case picloud.WaitsHere:
		return "", nil
	case picloud.WaitsNoMore:
		return "before the script began", nil
	case picloud.WaitsElsewhere:
	}
	present, err := r.Presence.Present(ctx, process)
	if err != nil || present {
		return "", err //nolint:wrapcheck // of the domain
	}
	timer := time.NewTimer(absentFor)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return "", ctx.Err() //nolint:wrapcheck // the caller's
	case <-timer.C:
	}
	if present, err = r.Presence.Present(ctx, process); err != nil || present {
		return "", err //nolint:wrapcheck // as above
	}
	return "the server process that it was connected to has ended", nil
}

// sayEnded tells the process in which the caller waits that the end is committed. Without that word the caller hears of it later, by the engine.
func (r *run) sayEnded(ctx context.Context) {
	if r.Presence == nil {
		return
	}
	_, process := r.Inbox.Waiting(r.firing.ReplyTo, r.firing.ExecutionID)
	_ = r.Presence.SayEnded(ctx, process, r.firing.AppID, r.firing.ExecutionID)
}

// watchCaller stops the attempt when the process dies in which its caller waits, until ctx ends. One who waits here is looked after by ingress.
func (r *run) watchCaller(ctx context.Context, stop context.CancelCauseFunc) {
	if !r.awaited() {
		return
	}
	if waiting, _ := r.Inbox.Waiting(r.firing.ReplyTo, r.firing.ExecutionID); waiting != picloud.WaitsElsewhere {
		return
	}
	go func() {
		ticker := time.NewTicker(callerLook)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			how, err := r.left(ctx)
			if err != nil || how == "" { // a database that is away is heard of at the commit
				continue
			}
			if _, err := r.cancelForCaller(ctx, how); err == nil {
				stop(errStopped)
				return
			}
		}
	}()
}

// cancelForCaller ends the execution as canceled, unless it has ended before.
func (r *run) cancelForCaller(ctx context.Context, how string) (picloud.Committed, error) {
	startedAt := r.startedAt
	if startedAt.IsZero() {
		startedAt = r.now()
	}
	end, err := r.Journal.CancelExecution(ctx, r.firing, startedAt, picloud.CallerLeft(r.firing, how))
	if err != nil {
		return end, fmt.Errorf("cancel execution whose caller has left: %w", err)
	}
	return end, nil
}
