package api

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/filter"
	"github.com/picloud/picloud/internal/picloud"
)

// trigger finds a trigger by its id.
func (s *server) trigger(ctx context.Context, appSlug, id string) (picloud.App, picloud.Trigger, error) {
	app, err := s.app(ctx, appSlug)
	if err != nil {
		return app, picloud.Trigger{}, err
	}
	if !isID(id) {
		return app, picloud.Trigger{}, missing("trigger", id)
	}
	t, err := s.Triggers.Trigger(ctx, app.ID, id)
	return app, t, err
}

// ListTriggers implements StrictServerInterface.
func (s *server) ListTriggers(ctx context.Context, request ListTriggersRequestObject) (ListTriggersResponseObject, error) {
	p, err := idPage(request.Params.Limit, request.Params.Cursor)
	if err != nil {
		return nil, err
	}
	narrow := picloud.TriggerFilter{Kind: picloud.Kind(deref(request.Params.Kind)), Script: deref(request.Params.Script)}
	if narrow.Kind != "" {
		if err := checkKind(narrow.Kind); err != nil {
			return nil, err
		}
	}
	if err := checkFilters("script", narrow.Script); err != nil {
		return nil, err
	}
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	list, err := s.Triggers.ListTriggers(ctx, app.ID, narrow, p)
	if err != nil {
		return nil, err
	}
	items := make([]Trigger, len(list.Items))
	for i, t := range list.Items {
		if items[i], err = toTrigger(t); err != nil {
			return nil, err
		}
	}
	return ListTriggers200JSONResponse{Items: items, NextCursor: orNil(list.Next)}, nil
}

// CreateTrigger implements StrictServerInterface.
func (s *server) CreateTrigger(ctx context.Context, request CreateTriggerRequestObject) (CreateTriggerResponseObject, error) {
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	body := request.Body
	t := picloud.Trigger{
		AppID: app.ID, Name: body.Name, Kind: picloud.Kind(body.Kind), Script: body.Script,
		Enabled: body.Enabled == nil || *body.Enabled, RegisteredByPrincipal: auth.PrincipalFrom(ctx).Name,
	}
	if err := checkKind(t.Kind); err != nil {
		return nil, err
	}
	t.Filter = deref(body.Filter)
	if err := s.setTrigger(&t, body.Config, body.Retry, body.Flow); err != nil {
		return nil, err
	}
	if err := s.setGuards(&t, body.MaxDepth, deref(body.Cycle)); err != nil {
		return nil, err
	}
	if err := s.checkWebhook(ctx, t); err != nil {
		return nil, err
	}
	if t, err = s.Triggers.CreateTrigger(ctx, t); err != nil {
		return nil, err
	}
	out, err := s.scheduled(ctx, t)
	return CreateTrigger201JSONResponse{
		Body: out, Headers: CreateTrigger201ResponseHeaders{Location: "/v1/apps/" + app.Slug + "/triggers/" + t.ID},
	}, err
}

// setTrigger checks names, filter, config, retry and flow, and sets the latter three.
func (s *server) setTrigger(t *picloud.Trigger, config json.RawMessage, retry *RetryPolicy, flow *FlowControl) error {
	if err := picloud.CheckName("name", t.Name); err != nil {
		return err
	}
	if err := picloud.CheckName("script", t.Script); err != nil {
		return err
	}
	if err := parseConfig(t, config); err != nil {
		return err
	}
	if err := filter.Check(*t); err != nil {
		return err
	}
	var err error
	if t.Retry, err = parseRetry(retry, s.Retry); err != nil {
		return err
	}
	t.Flow, err = parseFlow(*t, flow)
	return err
}

// setGuards checks what keeps the trigger from firing itself, and sets it; without depth that stays as it is.
func (s *server) setGuards(t *picloud.Trigger, depth *int, cycle string) error {
	if depth != nil && (*depth < 1 || *depth > s.MaxDepth) {
		return picloud.InvalidField("max_depth", "must be 1 to %d, the instance's PICLOUD_MAX_TRIGGER_DEPTH", s.MaxDepth)
	}
	if depth != nil {
		t.MaxDepth = *depth
	}
	if t.Cycle = picloud.Cycle(cycle); cycle == "" {
		t.Cycle = picloud.CycleAllow
	}
	if !slices.Contains(picloud.Cycles, t.Cycle) {
		return picloud.InvalidField("cycle", "must be allow or deny")
	}
	return nil
}

// GetTrigger implements StrictServerInterface.
func (s *server) GetTrigger(ctx context.Context, request GetTriggerRequestObject) (GetTriggerResponseObject, error) {
	_, t, err := s.trigger(ctx, request.App, request.Trigger)
	if err != nil {
		return nil, err
	}
	out, err := s.withSchedule(ctx, t)
	return GetTrigger200JSONResponse(out), err
}

// PatchTrigger implements StrictServerInterface.
func (s *server) PatchTrigger(ctx context.Context, request PatchTriggerRequestObject) (PatchTriggerResponseObject, error) {
	_, t, err := s.trigger(ctx, request.App, request.Trigger)
	if err != nil {
		return nil, err
	}
	now, err := toTrigger(t)
	if err != nil {
		return nil, err
	}
	patch := request.Body
	if patch.Name != nil {
		t.Name = *patch.Name
	}
	if patch.Script != nil {
		t.Script = *patch.Script
	}
	if patch.Enabled != nil {
		if *patch.Enabled && !t.Enabled { // whoever enables a trigger registers it
			t.RegisteredByPrincipal, t.DisabledReason = auth.PrincipalFrom(ctx).Name, ""
		}
		t.Enabled = *patch.Enabled
	}
	config, retry, flow := now.Config, now.Retry, now.Flow
	if patch.Config != nil {
		if config, err = mergePatch(config, patch.Config); err != nil {
			return nil, err
		}
	}
	if patch.Flow != nil {
		if flow, err = patchObject("flow", flow, patch.Flow); err != nil {
			return nil, err
		}
	}
	if patch.Retry != nil {
		if retry, err = patchObject("retry", retry, patch.Retry); err != nil {
			return nil, err
		}
	}
	if patch.Filter != nil {
		var text *string
		if err := decodeJSON(patch.Filter, &text, "filter"); err != nil {
			return nil, err
		}
		t.Filter = deref(text)
	}
	if err := s.setTrigger(&t, config, retry, flow); err != nil {
		return nil, err
	}
	var depth *int
	if patch.MaxDepth != nil { // null takes it away
		t.MaxDepth = 0
		if json.Unmarshal(patch.MaxDepth, &depth) != nil {
			return nil, picloud.InvalidField("max_depth", "must be a whole number, or null")
		}
	}
	if patch.Cycle != nil {
		now.Cycle = *patch.Cycle
	}
	if err := s.setGuards(&t, depth, now.Cycle); err != nil {
		return nil, err
	}
	if err := s.checkWebhook(ctx, t); err != nil {
		return nil, err
	}
	if t, err = s.Triggers.UpdateTrigger(ctx, t); err != nil {
		return nil, err
	}
	out, err := s.scheduled(ctx, t)
	return PatchTrigger200JSONResponse(out), err
}

// DeleteTrigger implements StrictServerInterface.
func (s *server) DeleteTrigger(ctx context.Context, request DeleteTriggerRequestObject) (DeleteTriggerResponseObject, error) {
	app, t, err := s.trigger(ctx, request.App, request.Trigger)
	if err != nil {
		return nil, err
	}
	if err := s.Triggers.DeleteTrigger(ctx, app.ID, t.ID); err != nil {
		return nil, err
	}
	if t.Kind == picloud.KindCron {
		s.syncSchedule(ctx, t)
	}
	return DeleteTrigger204Response{}, nil
}

// FireTrigger implements StrictServerInterface.
func (s *server) FireTrigger(ctx context.Context, request FireTriggerRequestObject) (FireTriggerResponseObject, error) {
	app, t, err := s.trigger(ctx, request.App, request.Trigger)
	if err != nil {
		return nil, err
	}
	endpoint, err := s.Endpoints.Endpoint(ctx, app.Slug, t.Script)
	if err != nil {
		return nil, err
	}
	if err := checkPayload(request.Body.Data, endpoint.Limits); err != nil {
		return nil, err
	}
	event, err := s.sampleEvent(ctx, app, t)
	if err != nil {
		return nil, err
	}
	if request.Body.Data != nil {
		event.Data = request.Body.Data
	}
	if t.Queue != nil && t.Queue.BatchSize > 0 {
		if err := checkBatch(event.Data, t.Queue.BatchSize); err != nil {
			return nil, err
		}
	}
	f := s.newFiring(endpoint, &t, event, auth.PrincipalFrom(ctx).Name)
	f.What = string(t.Kind) + " " + t.Name + " fired by hand"
	if err := s.Outbox.Enqueue(ctx, f, event); err != nil {
		return nil, err
	}
	picloud.RecordAudit(ctx, "trigger", t.ID, nil, map[string]any{"execution": f.ExecutionID})
	return FireTrigger202JSONResponse{
		Body: Accepted{ID: f.ExecutionID, Status: AcceptedStatusQueued}, Headers: FireTrigger202ResponseHeaders{Location: executionPath(app.Slug, f.ExecutionID)},
	}, nil
}

func toTrigger(t picloud.Trigger) (Trigger, error) {
	config, err := encodeConfig(t)
	return Trigger{
		ID: t.ID, Name: t.Name, Kind: string(t.Kind), Script: t.Script, Enabled: t.Enabled, Config: config, Retry: toRetry(t.Retry), Filter: orNil(t.Filter), Flow: toFlow(t.Flow), MaxDepth: orNil(t.MaxDepth),
		Cycle:          cycleOf(t),
		DisabledReason: orNil(t.DisabledReason), RegisteredByPrincipal: t.RegisteredByPrincipal, CreatedAt: t.CreatedAt.UTC(), UpdatedAt: t.UpdatedAt.UTC(),
	}, err
}

// cycleOf gives the cycle policy of a trigger.
func cycleOf(t picloud.Trigger) string {
	if t.Cycle == "" {
		return string(picloud.CycleAllow)
	}
	return string(t.Cycle)
}
