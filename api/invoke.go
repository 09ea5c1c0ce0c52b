package api

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/picloud"
)

// maxEventText is the longest type, source or subject of an event, in bytes.
const maxEventText = 1024

// InvokeScript implements StrictServerInterface.
func (s *server) InvokeScript(ctx context.Context, request InvokeScriptRequestObject) (InvokeScriptResponseObject, error) {
	endpoint, err := s.invoked(ctx, request.App, request.Script, request.Body.Version)
	if err != nil {
		return nil, err
	}
	event, err := invokeEvent(ctx, endpoint, *request.Body)
	if err != nil {
		return nil, err
	}
	dryRun := deref(request.Body.DryRun)
	fetchLive, err := parseFetch(request.Body.Fetch, dryRun)
	if err != nil {
		return nil, err
	}
	if dryRun {
		return s.dryInvoke(ctx, endpoint, event, fetchLive)
	}
	if err := endpoint.App.CheckStarts(); err != nil {
		return nil, err
	}
	f := s.newFiring(endpoint, nil, event, auth.PrincipalFrom(ctx).Name)
	f.Kind, f.What = picloud.KindInvoke, "invoke "+endpoint.Script+" v"+strconv.Itoa(endpoint.Version)

	_, err = s.runSync(ctx, f, event, endpoint.Limits.Wall+runGrace)
	if err != nil && !errors.Is(err, errWaitExpired) && !errors.Is(err, errLost) {
		return nil, err
	}
	x, err := s.findExecution(ctx, endpoint.App, f.ExecutionID)
	if err != nil {
		return nil, err
	}
	out, err := s.toExecution(x)
	if err != nil {
		return nil, err
	}
	if x.Status.Final() {
		return InvokeScript200JSONResponse{Body: out, Headers: InvokeScript200ResponseHeaders{XPiCloudExecution: x.ID}}, nil
	}
	return InvokeScript202JSONResponse{
		Body: out, Headers: InvokeScript202ResponseHeaders{Location: executionPath(endpoint.App.Slug, x.ID), XPiCloudExecution: x.ID},
	}, nil
}

// dryInvoke runs the script here and now and shows what it would have done.
func (s *server) dryInvoke(ctx context.Context, e picloud.Endpoint, event picloud.Event, fetchLive bool) (InvokeScriptResponseObject, error) {
	if s.DryRunner == nil {
		return nil, errNoSandbox()
	}
	result, err := s.DryRunner.DryRun(ctx, e, event, auth.PrincipalFrom(ctx).Name, fetchLive)
	if err != nil {
		return nil, err
	}
	out, err := s.toDryRun(picloud.Execution{AppID: e.App.ID, Script: e.Script, Kind: picloud.KindInvoke, Principal: auth.PrincipalFrom(ctx).Name}, result)
	return InvokeScript200JSONResponse{Body: out, Headers: InvokeScript200ResponseHeaders{XPiCloudExecution: out.ID}}, err
}

// invoked finds the script to run, at the version that is asked for.
func (s *server) invoked(ctx context.Context, app, script string, version *int) (picloud.Endpoint, error) {
	endpoint, err := s.endpoint(ctx, app, script)
	if err != nil || version == nil {
		return endpoint, err
	}
	if err := checkVersion(*version); err != nil {
		return endpoint, err
	}
	v, err := s.Scripts.Version(ctx, endpoint.App.ID, endpoint.Script, *version)
	endpoint.Version, endpoint.Limits = v.Version, v.Limits
	return endpoint, err
}

// invokeEvent makes the event of a direct call.
func invokeEvent(ctx context.Context, e picloud.Endpoint, body Invoke) (picloud.Event, error) {
	data := body.Data
	given := deref(body.Event)
	if body.Event != nil {
		if body.Data != nil {
			return picloud.Event{}, picloud.InvalidField("data", "give either data or event, not both")
		}
		data = given.Data
	}
	if data == nil {
		data = json.RawMessage("null")
	}
	for _, text := range [][2]string{{"event.type", deref(given.Type)}, {"event.source", deref(given.Source)}, {"event.subject", deref(given.Subject)}} {
		if err := checkText(text[0], text[1], maxEventText); err != nil {
			return picloud.Event{}, err
		}
	}
	event := newEvent(ctx, "/apps/"+e.App.Slug+"/"+string(picloud.KindInvoke)+"/"+e.Script, deref(given.Subject), data)
	event.Type = picloud.TypeInvoke
	if given.Type != nil && *given.Type != "" {
		event.Type = *given.Type
	}
	if given.Source != nil && *given.Source != "" {
		event.Source = *given.Source
	}
	return event, checkPayload(data, e.Limits)
}
