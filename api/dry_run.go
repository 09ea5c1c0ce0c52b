package api

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// dryRun runs a script here and now and shows what it would have done. Nothing is committed, so that is all that there is to do.
func (s *server) dryRun(ctx context.Context, e picloud.Endpoint, f picloud.Firing, event picloud.Event) (InvokeScriptResponseObject, error) {
	if s.Runner == nil {
		return nil, picloud.Errorf(picloud.Unavailable, "sandbox_unavailable", "this process runs no scripts")
	}
	v, err := s.Scripts.Version(ctx, e.App.ID, e.Script, e.Version)
	if err != nil {
		return nil, err
	}
	x := picloud.Execution{
		ID: f.ExecutionID, AppID: e.App.ID, Status: picloud.StatusSucceeded, Script: e.Script, Version: e.Version, Kind: picloud.KindInvoke, EventID: event.ID,
		Event: &event, Depth: f.Depth, RootID: f.RootID, Principal: f.Principal, QueuedAt: f.QueuedAt, StartedAt: time.Now().UTC(),
	}
	outcome, err := s.Runner.Run(ctx, picloud.Run{
		ExecutionID: x.ID, AppID: e.App.ID, App: e.App.Slug, Script: e.Script, Version: e.Version, Program: v.Program, Limits: e.Limits, Event: event,
		Attempt: 1, DryRun: true, FetchAllow: e.App.FetchAllow, Time: x.StartedAt, Seed: rand.Int64(), //nolint:gosec // no secret
	})
	if err != nil {
		return nil, fmt.Errorf("run script: %w", err)
	}
	x.FinishedAt, x.Logs = time.Now().UTC(), outcome.Logs
	if outcome.Failure != nil {
		x.Status, x.Error = picloud.StatusFailed, outcome.Failure
	} else {
		result := outcome.Hidden.Result(outcome.Result)
		x.Result, x.Effects = &result, outcome.Hidden.Effects(outcome.Effects)
	}
	out, err := s.toExecution(x)
	if err != nil {
		return nil, err
	}
	out.TemporalURL = nil
	return InvokeScript200JSONResponse{Body: out, Headers: InvokeScript200ResponseHeaders{XPiCloudExecution: x.ID}}, nil
}
