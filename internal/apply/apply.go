package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/picloud/picloud/api/client"
)

// Report hears of each step, in words for people: "script intake: version 2, active".
type Report func(step string)

// Apply makes the app, its scripts and its triggers what the manifest says; what is right already is not touched, and nothing is deleted. It stops at the
// first error; applying again goes on from there.
func Apply(ctx context.Context, c *client.ClientWithResponses, m Manifest, report Report) error {
	a := applier{c: c, m: m, report: report}
	for _, step := range []func(context.Context) error{a.app, a.secrets, a.scripts, a.triggers} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

type applier struct {
	c      *client.ClientWithResponses
	m      Manifest
	report Report
}

func (a applier) sayf(format string, args ...any) { a.report(fmt.Sprintf(format, args...)) }

func (a applier) app(ctx context.Context) error {
	got, err := a.c.GetAppWithResponse(ctx, a.m.App)
	if err != nil {
		return fmt.Errorf("get app: %w", err)
	}
	if got.StatusCode() == http.StatusOK {
		return nil
	}
	if got.StatusCode() != http.StatusNotFound {
		return refusal("get app "+a.m.App, got.StatusCode(), got.Body)
	}
	body := client.AppCreate{Slug: a.m.App}
	if a.m.Name != "" {
		body.Name = &a.m.Name
	}
	made, err := a.c.CreateAppWithResponse(ctx, body)
	if err != nil {
		return fmt.Errorf("create app: %w", err)
	}
	if made.StatusCode() != http.StatusCreated {
		return refusal("create app "+a.m.App, made.StatusCode(), made.Body)
	}
	a.sayf("app %s: created", a.m.App)
	return nil
}

func (a applier) scripts(ctx context.Context) error {
	for _, name := range a.m.scriptNames() {
		s := a.m.Scripts[name]
		source, err := a.m.source(s)
		if err != nil {
			return err
		}
		body, err := asJSON(map[string]any{"source": source, "language": s.Language, "limits": s.Limits, "activate": true})
		if err != nil {
			return err
		}
		put, err := a.c.PutScriptWithBodyWithResponse(ctx, a.m.App, name, "application/json", body)
		if err != nil {
			return fmt.Errorf("put script: %w", err)
		}
		switch {
		case put.JSON201 != nil:
			a.sayf("script %s: version %d from %s", name, put.JSON201.Version, s.Source)
		case put.JSON200 != nil:
			a.sayf("script %s: version %d, unchanged", name, put.JSON200.Version)
		default:
			return refusal(fmt.Sprintf("put script %s (%s)", name, s.Source), put.StatusCode(), put.Body)
		}
	}
	return nil
}

func (a applier) triggers(ctx context.Context) error {
	present, err := a.present(ctx)
	if err != nil {
		return err
	}
	for _, t := range a.m.Triggers {
		old, ok := present[t.Name]
		if !ok {
			if err := a.create(ctx, t); err != nil {
				return err
			}
			continue
		}
		if old.Kind != t.Kind {
			return fmt.Errorf("trigger %s: it is of kind %s there and %s here: a kind never changes; delete the trigger first", t.Name, old.Kind, t.Kind)
		}
		if err := a.patch(ctx, old, t); err != nil {
			return err
		}
	}
	return nil
}

// present gives the app's triggers by name.
func (a applier) present(ctx context.Context) (map[string]client.Trigger, error) {
	triggers := map[string]client.Trigger{}
	limit := 500
	params := client.ListTriggersParams{Limit: &limit}
	for {
		list, err := a.c.ListTriggersWithResponse(ctx, a.m.App, &params)
		if err != nil {
			return nil, fmt.Errorf("list triggers: %w", err)
		}
		if list.JSON200 == nil {
			return nil, refusal("list triggers", list.StatusCode(), list.Body)
		}
		for _, t := range list.JSON200.Items {
			triggers[t.Name] = t
		}
		if params.Cursor = list.JSON200.NextCursor; params.Cursor == nil {
			return triggers, nil
		}
	}
}

func (a applier) create(ctx context.Context, t Trigger) error {
	body, err := asJSON(fields(map[string]any{"name": t.Name, "kind": t.Kind, "script": t.Script, "config": config(t)}, t))
	if err != nil {
		return err
	}
	made, err := a.c.CreateTriggerWithBodyWithResponse(ctx, a.m.App, "application/json", body)
	if err != nil {
		return fmt.Errorf("create trigger: %w", err)
	}
	if made.JSON201 == nil {
		return refusal("create trigger "+t.Name, made.StatusCode(), made.Body)
	}
	a.sayf("trigger %s: created (%s → %s)", t.Name, t.Kind, t.Script)
	return nil
}

func (a applier) patch(ctx context.Context, old client.Trigger, t Trigger) error {
	body, err := asJSON(fields(map[string]any{"script": t.Script, "config": config(t)}, t))
	if err != nil {
		return err
	}
	changed, err := a.c.PatchTriggerWithBodyWithResponse(ctx, a.m.App, old.ID, "application/json", body)
	if err != nil {
		return fmt.Errorf("patch trigger: %w", err)
	}
	if changed.JSON200 == nil {
		return refusal("patch trigger "+t.Name, changed.StatusCode(), changed.Body)
	}
	a.sayf("trigger %s: as it should be", t.Name)
	return nil
}

// config gives the trigger's config; one that is left out is empty.
func config(t Trigger) map[string]any {
	if t.Config == nil {
		return map[string]any{}
	}
	return t.Config
}

// fields adds the fields that the manifest may leave out.
func fields(body map[string]any, t Trigger) map[string]any {
	if t.Enabled != nil {
		body["enabled"] = *t.Enabled
	}
	if t.Retry != nil {
		body["retry"] = t.Retry
	}
	if t.Flow != nil {
		body["flow"] = t.Flow
	}
	if t.Filter != nil {
		body["filter"] = *t.Filter
	}
	if t.MaxDepth != nil {
		body["max_depth"] = *t.MaxDepth
	}
	if t.Cycle != "" {
		body["cycle"] = t.Cycle
	}
	return body
}

// refusal is the error for an answer that is not the hoped-for one: the problem's own words where it has any.
func refusal(what string, status int, body []byte) error {
	var p client.Problem
	if json.Unmarshal(body, &p) != nil || p.Code == "" {
		return fmt.Errorf("%s: %d %s", what, status, http.StatusText(status))
	}
	return &RefusalError{What: what, Problem: p}
}
