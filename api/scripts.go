package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/picloud/picloud/internal/picloud"
)

// script finds a script. What is no name names none.
func (s *server) script(ctx context.Context, appSlug, name string) (picloud.App, picloud.Script, error) {
	app, err := s.app(ctx, appSlug)
	if err != nil {
		return app, picloud.Script{}, err
	}
	if picloud.CheckName("script", name) != nil {
		return app, picloud.Script{}, missing("script", name)
	}
	script, err := s.Scripts.Script(ctx, app.ID, name)
	return app, script, err
}

// endpointURL is the absolute address of a script's endpoint.
func endpointURL(ctx context.Context, app, script string) string {
	return baseURL(ctx) + "/run/" + app + "/" + script
}

func errSourceTooLarge() error {
	return picloud.Errorf(picloud.TooLarge, "source_too_large", "a source may have at most %d bytes", picloud.MaxSourceBytes)
}

// PutScript implements StrictServerInterface.
func (s *server) PutScript(ctx context.Context, request PutScriptRequestObject) (PutScriptResponseObject, error) {
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	v, err := s.checkScript(request.Script, *request.Body)
	if err != nil {
		return nil, err
	}
	found, there, err := s.Scripts.FindVersion(ctx, app.ID, v.Script, v.SHA256)
	if err != nil {
		return nil, err
	}
	if there {
		v.Program = found.Program
	} else if v.Program, err = s.Compiler.Compile(ctx, v.Script, v.Language, v.Source); err != nil {
		return nil, err
	}
	activate := request.Body.Activate == nil || *request.Body.Activate
	script, stored, created, err := s.Scripts.PutScript(ctx, app.ID, v, activate)
	if err != nil {
		return nil, err
	}
	detail := toScriptDetail(ctx, app, script, stored)
	if !created {
		return PutScript200JSONResponse(detail), nil
	}
	return PutScript201JSONResponse{
		Body: detail, Headers: PutScript201ResponseHeaders{Location: "/v1/apps/" + app.Slug + "/scripts/" + script.Name},
	}, nil
}

// checkScript makes the version that a request asks for, without its program.
func (s *server) checkScript(name string, body ScriptPut) (picloud.ScriptVersion, error) {
	v := picloud.ScriptVersion{Script: name, Language: picloud.Language(body.Language), Source: body.Source}
	if err := picloud.CheckName("script", name); err != nil {
		return v, err
	}
	if v.Language != picloud.TypeScript && v.Language != picloud.JavaScript {
		return v, picloud.InvalidField("language", `must be "ts" or "js"`)
	}
	if len(v.Source) > picloud.MaxSourceBytes {
		return v, errSourceTooLarge()
	}
	if strings.TrimSpace(v.Source) == "" {
		return v, picloud.InvalidField("source", "is empty: a script has a default export")
	}
	if strings.ContainsRune(v.Source, 0) {
		return v, picloud.InvalidField("source", "contains a NUL")
	}
	var err error
	if v.Limits, err = parseLimits(body.Limits, s.Ceiling); err != nil {
		return v, err
	}
	v.SHA256, err = versionDigest(v)
	return v, err
}

// versionDigest tells versions apart: SHA-256, in hex, of language, limits and source.
func versionDigest(v picloud.ScriptVersion) (string, error) {
	limits, err := json.Marshal(v.Limits)
	if err != nil {
		return "", fmt.Errorf("encode limits: %w", err)
	}
	h := sha256.New()
	for _, part := range []string{string(v.Language), string(limits), v.Source} {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part) // a hash takes every write
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// ListScripts implements StrictServerInterface.
func (s *server) ListScripts(ctx context.Context, request ListScriptsRequestObject) (ListScriptsResponseObject, error) {
	p, err := namePage(request.Params.Limit, request.Params.Cursor)
	if err != nil {
		return nil, err
	}
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	list, err := s.Scripts.ListScripts(ctx, app.ID, p)
	if err != nil {
		return nil, err
	}
	items := convert(list.Items, func(x picloud.Script) Script { return toScript(ctx, app, x) })
	return ListScripts200JSONResponse{Items: items, NextCursor: orNil(list.Next)}, nil
}

// GetScript implements StrictServerInterface.
func (s *server) GetScript(ctx context.Context, request GetScriptRequestObject) (GetScriptResponseObject, error) {
	app, script, err := s.script(ctx, request.App, request.Script)
	if err != nil {
		return nil, err
	}
	v, err := s.Scripts.Version(ctx, app.ID, script.Name, script.ActiveVersion)
	if err != nil {
		return nil, err
	}
	detail := toScriptDetail(ctx, app, script, v)
	detail.Source = &v.Source
	return GetScript200JSONResponse(detail), nil
}

// DeleteScript implements StrictServerInterface.
func (s *server) DeleteScript(ctx context.Context, request DeleteScriptRequestObject) (DeleteScriptResponseObject, error) {
	app, script, err := s.script(ctx, request.App, request.Script)
	if err != nil {
		return nil, err
	}
	if err := s.Scripts.DeleteScript(ctx, app.ID, script.Name); err != nil {
		return nil, err
	}
	return DeleteScript204Response{}, nil
}

// ListScriptVersions implements StrictServerInterface.
func (s *server) ListScriptVersions(ctx context.Context, request ListScriptVersionsRequestObject) (ListScriptVersionsResponseObject, error) {
	p, err := page(request.Params.Limit, request.Params.Cursor)
	if err != nil {
		return nil, err
	}
	if n, err := strconv.Atoi(p.Cursor); p.Cursor != "" && (err != nil || checkVersion(n) != nil) {
		return nil, picloud.InvalidField("cursor", "%q is no cursor: use the next_cursor of the page before", p.Cursor)
	}
	app, script, err := s.script(ctx, request.App, request.Script)
	if err != nil {
		return nil, err
	}
	list, err := s.Scripts.ListVersions(ctx, app.ID, script.Name, p)
	if err != nil {
		return nil, err
	}
	items := convert(list.Items, func(v picloud.ScriptVersion) ScriptVersion {
		return ScriptVersion{
			Version: v.Version, Active: v.Version == script.ActiveVersion, Sha256: v.SHA256, Language: string(v.Language),
			Limits: toLimits(v.Limits), CreatedAt: v.CreatedAt.UTC(),
		}
	})
	return ListScriptVersions200JSONResponse{Items: items, NextCursor: orNil(list.Next)}, nil
}

// GetScriptVersion implements StrictServerInterface.
func (s *server) GetScriptVersion(ctx context.Context, request GetScriptVersionRequestObject) (GetScriptVersionResponseObject, error) {
	app, script, err := s.script(ctx, request.App, request.Script)
	if err != nil {
		return nil, err
	}
	if err := checkVersion(request.Version); err != nil {
		return nil, err
	}
	v, err := s.Scripts.Version(ctx, app.ID, script.Name, request.Version)
	if err != nil {
		return nil, err
	}
	return GetScriptVersion200JSONResponse{
		Version: v.Version, Sha256: v.SHA256, Language: string(v.Language), Limits: toLimits(v.Limits), Source: v.Source, CreatedAt: v.CreatedAt.UTC(),
	}, nil
}

// ActivateScriptVersion implements StrictServerInterface.
func (s *server) ActivateScriptVersion(ctx context.Context, request ActivateScriptVersionRequestObject) (ActivateScriptVersionResponseObject, error) {
	app, script, err := s.script(ctx, request.App, request.Script)
	if err != nil {
		return nil, err
	}
	if err := checkVersion(request.Version); err != nil {
		return nil, err
	}
	if script, err = s.Scripts.Activate(ctx, app.ID, script.Name, request.Version); err != nil {
		return nil, err
	}
	return ActivateScriptVersion200JSONResponse(toScript(ctx, app, script)), nil
}

// maxVersion is the highest number that a version can have.
const maxVersion = 1<<31 - 1

func checkVersion(n int) error {
	if n < 1 || n > maxVersion {
		return picloud.InvalidField("version", "must be a version's number: 1 or more")
	}
	return nil
}

func toScript(ctx context.Context, app picloud.App, x picloud.Script) Script {
	return Script{
		Name: x.Name, ActiveVersion: x.ActiveVersion, Endpoint: endpointURL(ctx, app.Slug, x.Name),
		CreatedAt: x.CreatedAt.UTC(), UpdatedAt: x.UpdatedAt.UTC(),
	}
}

func toScriptDetail(ctx context.Context, app picloud.App, x picloud.Script, v picloud.ScriptVersion) ScriptDetail {
	return ScriptDetail{
		Name: x.Name, Version: v.Version, ActiveVersion: x.ActiveVersion, Sha256: v.SHA256, Endpoint: endpointURL(ctx, app.Slug, x.Name),
		Language: string(v.Language), Limits: toLimits(v.Limits), CreatedAt: v.CreatedAt.UTC(), UpdatedAt: x.UpdatedAt.UTC(),
	}
}
