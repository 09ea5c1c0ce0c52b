package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// executionPath is the address of an execution.
func executionPath(app, id string) string { return "/v1/apps/" + app + "/executions/" + id }

// ListExecutions implements StrictServerInterface.
func (s *server) ListExecutions(ctx context.Context, request ListExecutionsRequestObject) (ListExecutionsResponseObject, error) {
	q := request.Params
	p, err := idPage(q.Limit, q.Cursor)
	if err != nil {
		return nil, err
	}
	filter, err := parseExecutionFilter(q)
	if err != nil {
		return nil, err
	}
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	list, err := s.listExecutions(ctx, app, filter, p)
	if err != nil {
		return nil, err
	}
	return ListExecutions200JSONResponse{Items: convert(list.Items, s.toSummary), NextCursor: orNil(list.Next)}, nil
}

func parseExecutionFilter(q ListExecutionsParams) (picloud.ExecutionFilter, error) {
	f := picloud.ExecutionFilter{
		Status: picloud.Status(deref(q.Status)), Script: deref(q.Script), Trigger: deref(q.Trigger), Kind: picloud.Kind(deref(q.Kind)), Root: deref(q.Root),
	}
	if f.Status != "" && !slices.Contains(picloud.Statuses, f.Status) {
		return f, picloud.InvalidField("status", "must be queued, running, waiting, succeeded, failed, dead_lettered or canceled")
	}
	if f.Kind != "" && f.Kind != picloud.KindInvoke && f.Kind != picloud.KindMail {
		if err := checkKind(f.Kind); err != nil {
			return f, err
		}
	}
	if f.Root != "" && !isID(f.Root) {
		return f, picloud.InvalidField("root", "must be the id of a root event")
	}
	if q.Since != nil {
		since, err := time.Parse(time.RFC3339, *q.Since)
		if err != nil {
			return f, picloud.InvalidField("since", `must be an RFC 3339 time, e.g. "2026-01-31T12:00:00Z"`)
		}
		f.Since = since
	}
	return f, checkFilters("script", f.Script, "trigger", f.Trigger)
}

// The walk over the engine's running executions: pages of maxRunningPage, at most maxRunningPages of them. The engine has cursors of its own and
// another order, so that a page of the merged list needs all that run.
const (
	maxRunningPage  = picloud.MaxPageLimit
	maxRunningPages = 10
)

// listExecutions merges what the store knows (queued and finished) with what the engine knows (running), newest first. Its cursor is the id of the
// last execution of the page before: ids grow with time.
func (s *server) listExecutions(
	ctx context.Context, app picloud.App, filter picloud.ExecutionFilter, p picloud.Page,
) (picloud.List[picloud.Execution], error) {
	var out picloud.List[picloud.Execution]
	more := false
	if filter.Status == "" || filter.Status == picloud.StatusQueued || filter.Status.Final() {
		stored, err := s.Executions.ListExecutions(ctx, app.ID, filter, p)
		if err != nil {
			return out, err
		}
		out.Items, more = stored.Items, stored.Next != ""
	}
	if filter.Status == "" || filter.Status == picloud.StatusRunning || filter.Status == picloud.StatusWaiting {
		running, err := s.listRunning(ctx, app, filter, p.Cursor)
		if err != nil {
			return out, err
		}
		// When the store has more than its page, what runs but is older than that page belongs to a later one.
		if more {
			oldest := out.Items[len(out.Items)-1].ID
			running = slices.DeleteFunc(running, func(x picloud.Execution) bool { return x.ID < oldest })
		}
		out.Items = mergeExecutions(out.Items, running)
	}
	if len(out.Items) > p.Limit {
		out.Items, more = out.Items[:p.Limit], true
	}
	if more {
		out.Next = out.Items[len(out.Items)-1].ID
	}
	return out, nil
}

// listRunning gives the running executions that are older than the cursor.
func (s *server) listRunning(ctx context.Context, app picloud.App, filter picloud.ExecutionFilter, cursor string) ([]picloud.Execution, error) {
	var running []picloud.Execution
	token := ""
	for range maxRunningPages {
		list, err := s.Engine.ListRunning(ctx, app, filter, picloud.Page{Limit: maxRunningPage, Cursor: token})
		if err != nil {
			return nil, engineFault(err)
		}
		for _, x := range list.Items {
			if cursor == "" || x.ID < cursor {
				running = append(running, x)
			}
		}
		if token = list.Next; token == "" {
			break
		}
	}
	return running, nil
}

// mergeExecutions gives both lists as one, newest first. Where both have an execution, a finished one counts (the engine's list lags), and a running
// one is more than a queued one.
func mergeExecutions(stored, running []picloud.Execution) []picloud.Execution {
	all := slices.Concat(stored, running)
	slices.SortStableFunc(all, func(a, b picloud.Execution) int {
		if c := strings.Compare(b.ID, a.ID); c != 0 {
			return c
		}
		return statusRank(a) - statusRank(b)
	})
	return slices.CompactFunc(all, func(a, b picloud.Execution) bool { return a.ID == b.ID })
}

// statusRank orders what two sources say of one execution, the truer first.
func statusRank(x picloud.Execution) int {
	switch {
	case x.Status.Final():
		return 0
	case x.Status == picloud.StatusQueued:
		return 2
	default:
		return 1
	}
}

// GetExecution implements StrictServerInterface.
func (s *server) GetExecution(ctx context.Context, request GetExecutionRequestObject) (GetExecutionResponseObject, error) {
	var wait time.Duration
	if request.Params.Wait != nil {
		var err error
		if wait, err = parseDuration("wait", *request.Params.Wait); err != nil {
			return nil, err
		}
		if wait < 0 {
			return nil, picloud.InvalidField("wait", "may not be negative")
		}
	}
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	x, err := s.waitExecution(ctx, app, request.Execution, min(wait, maxWait))
	if err != nil {
		return nil, err
	}
	out, err := s.toExecution(x)
	return GetExecution200JSONResponse(out), err
}

// CancelExecution implements StrictServerInterface.
func (s *server) CancelExecution(ctx context.Context, request CancelExecutionRequestObject) (CancelExecutionResponseObject, error) {
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	x, err := s.findExecution(ctx, app, request.Execution)
	picloud.RecordAudit(ctx, "execution", request.Execution, map[string]any{"status": x.Status}, map[string]any{"status": picloud.StatusCanceled})
	switch {
	case err != nil:
		return nil, err
	case x.Status.Final():
		return nil, errFinished(x)
	case x.Status == picloud.StatusQueued:
		if x, err = s.Executions.CancelQueued(ctx, app.ID, x.ID); err == nil {
			out, err := s.toExecution(x)
			return CancelExecution202JSONResponse(out), err
		}
		if !isNoExecution(err) {
			return nil, err
		}
		x.ID = request.Execution // it has started in between
	}
	if err := s.Engine.Cancel(ctx, x.ID); err != nil {
		if !isNoExecution(err) {
			return nil, engineFault(err)
		}
		return nil, errFinished(x) // it ended in between
	}
	s.stopRuns(ctx, x.ID)
	out, err := s.toExecution(x)
	return CancelExecution202JSONResponse(out), err
}

// stopRuns tells the scripts of executions that were asked to end to stop at once. One that does not hear of it is told by the engine, or ends by itself.
func (s *server) stopRuns(ctx context.Context, ids ...string) {
	if len(ids) == 0 {
		return
	}
	if err := s.Presence.StopRuns(ctx, ids...); err != nil {
		s.Log.WithError(err).Warn("cannot stop the scripts of canceled executions at once")
	}
}

func errFinished(x picloud.Execution) error {
	return picloud.Errorf(picloud.Conflict, "already_finished", "the execution %s is over", x.ID)
}

// ListAbandonedExecutions implements StrictServerInterface.
func (s *server) ListAbandonedExecutions(
	ctx context.Context, request ListAbandonedExecutionsRequestObject,
) (ListAbandonedExecutionsResponseObject, error) {
	p, err := idPage(request.Params.Limit, request.Params.Cursor)
	if err != nil {
		return nil, err
	}
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	list, err := s.Abandoned.ListAbandoned(ctx, app.ID, p)
	if err != nil {
		return nil, err
	}
	items := make([]AbandonedExecution, len(list.Items))
	for i, x := range list.Items {
		result, err := toResult(x.Committed.Result)
		if err != nil {
			return nil, err
		}
		items[i] = AbandonedExecution{
			ExecutionID: x.ExecutionID, Script: x.Script, Trigger: orNil(x.Trigger), Status: ExecutionStatus(x.Committed.Status),
			Result: result, Error: toScriptError(x.Committed.Error), AbandonedAt: x.AbandonedAt.UTC(),
		}
	}
	return ListAbandonedExecutions200JSONResponse{Items: items, NextCursor: orNil(list.Next)}, nil
}

// CountAbandonedExecutions implements StrictServerInterface.
func (s *server) CountAbandonedExecutions(ctx context.Context, request CountAbandonedExecutionsRequestObject) (CountAbandonedExecutionsResponseObject, error) {
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	n, err := s.Abandoned.CountAbandoned(ctx, app.ID)
	return CountAbandonedExecutions200JSONResponse{Count: n}, err
}
