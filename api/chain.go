package api

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// The bounds of the executions that a chain shows.
const (
	defaultChain = 500
	maxChain     = 1000
)

// GetExecutionChain implements StrictServerInterface.
func (s *server) GetExecutionChain(ctx context.Context, request GetExecutionChainRequestObject) (GetExecutionChainResponseObject, error) {
	limit := defaultChain
	if request.Params.Limit != nil {
		if limit = *request.Params.Limit; limit < 1 || limit > maxChain {
			return nil, picloud.InvalidField("limit", "must be 1 to %d", maxChain)
		}
	}
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	x, err := s.findExecution(ctx, app, request.Execution)
	if err != nil {
		return nil, err
	}
	links, chain, err := s.chain(ctx, app, x.RootID, limit)
	if err != nil {
		return nil, err
	}
	out := GetExecutionChain200JSONResponse{RootID: x.RootID, Cut: chain.Cut, Truncated: chain.More || len(links) > limit}
	links = links[:min(len(links), limit)]
	children := map[string][]picloud.Link{}
	known := map[string]bool{}
	for _, l := range links {
		known[l.ID] = true
	}
	for _, l := range links {
		parent := l.ParentID
		if !known[parent] || parent == l.ID {
			parent = ""
		}
		children[parent] = append(children[parent], l)
	}
	out.Items = toLinks(children, "")
	return out, nil
}

// chain gives the executions of a root event, the oldest first.
func (s *server) chain(ctx context.Context, app picloud.App, rootID string, limit int) ([]picloud.Link, picloud.Chain, error) {
	running, err := s.listRunning(ctx, app, picloud.ExecutionFilter{Root: rootID}, "")
	if err != nil {
		return nil, picloud.Chain{}, err
	}
	chain, err := s.Chains.Chain(ctx, app.ID, rootID, limit) // after the engine: what has ended in between is in the store
	if err != nil {
		return nil, chain, err
	}
	events := convert(running, func(x picloud.Execution) string { return x.EventID })
	whats, err := s.Chains.Whats(ctx, app.ID, slices.DeleteFunc(events, func(id string) bool { return id == "" }))
	if err != nil {
		return nil, chain, err
	}
	links := slices.Clone(chain.Links)
	for _, x := range running {
		links = append(links, picloud.Link{Execution: x, What: whats[x.EventID]})
	}
	slices.SortStableFunc(links, func(a, b picloud.Link) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), statusRank(a.Execution)-statusRank(b.Execution))
	})
	return slices.CompactFunc(links, func(a, b picloud.Link) bool { return a.ID == b.ID }), chain, nil
}

// toLinks gives the executions below one, with theirs.
func toLinks(children map[string][]picloud.Link, parent string) []ExecutionChainLink {
	out := make([]ExecutionChainLink, 0, len(children[parent]))
	for _, l := range children[parent] {
		link := ExecutionChainLink{
			ID: l.ID, Status: ExecutionStatus(l.Status), Script: l.Script, Version: orNil(l.Version), Trigger: orNil(l.Trigger), Kind: string(l.Kind), What: orNil(l.What), Depth: l.Depth,
			ParentID: orNil(l.ParentID), ReplayOf: orNil(l.ReplayOf), Principal: l.Principal, QueuedAt: l.QueuedAt.UTC(), StartedAt: instant(l.StartedAt), FinishedAt: instant(l.FinishedAt),
			DeadLetterID: orNil(l.DeadLetterID), Children: toLinks(children, l.ID),
		}
		if !l.StartedAt.IsZero() {
			end := l.FinishedAt
			if end.IsZero() {
				end = time.Now()
			}
			duration := formatDuration(max(0, end.Sub(l.StartedAt)))
			link.Duration = &duration
		}
		out = append(out, link)
	}
	return out
}

// maxCancel bounds the executions of each status that one call cancels.
const maxCancel = 1000

// CancelExecutions implements StrictServerInterface.
func (s *server) CancelExecutions(ctx context.Context, request CancelExecutionsRequestObject) (CancelExecutionsResponseObject, error) {
	b := request.Body
	if status := picloud.Status(deref(b.Status)); status != "" && status != picloud.StatusQueued && status != picloud.StatusRunning {
		return nil, picloud.InvalidField("status", "must be queued or running")
	}
	filter, err := parseExecutionFilter(ListExecutionsParams{Status: b.Status, Script: b.Script, Trigger: b.Trigger, Kind: b.Kind, Root: b.Root, Since: b.Since})
	if err != nil {
		return nil, err
	}
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	var out CancelExecutions200JSONResponse
	note := func() { picloud.RecordAudit(ctx, "executions", "", b, out) }
	if filter.Status != picloud.StatusRunning {
		if out.Queued, err = s.Executions.CancelQueuedMany(ctx, app.ID, filter, maxCancel); err != nil {
			return nil, err
		}
	}
	note()
	if filter.Status != picloud.StatusQueued {
		var ids []string
		if ids, out.More, err = s.Engine.CancelMany(ctx, app, filter, maxCancel); err != nil {
			if out.Queued > 0 { // half of it is done
				err = errors.Join(err, s.auditNow(ctx))
			}
			return nil, engineFault(err)
		}
		out.Running = len(ids)
		s.stopRuns(ctx, ids...)
	}
	out.More = out.More || out.Queued == maxCancel
	note()
	return out, nil
}
