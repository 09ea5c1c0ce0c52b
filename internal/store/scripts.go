package store

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// PutScript implements picloud.Scripts. The script's row is locked first, so that versions are numbered one after the other.
func (s *Store) PutScript(ctx context.Context, appID string, v picloud.ScriptVersion, activate bool) (picloud.Script, picloud.ScriptVersion, bool, error) {
	var (
		script  sqlc.Script
		stored  sqlc.ScriptVersion
		created bool
	)
	limits, err := encode(v.Limits)
	if err != nil {
		return picloud.Script{}, picloud.ScriptVersion{}, false, err
	}
	err = s.inTx(ctx, func(q *sqlc.Queries) (err error) {
		if script, err = q.ScriptUpsert(ctx, appID, v.Script); err != nil {
			return fmt.Errorf("upsert script: %w", err)
		}
		var before any // a new script has no active version yet
		if script.ActiveVersion > 0 {
			before = activeView(int(script.ActiveVersion))
		}
		stored, err = q.ScriptVersionBySHA256(ctx, appID, v.Script, v.SHA256)
		if isMissing(err) {
			created = true
			stored, err = q.ScriptVersionInsert(ctx, sqlc.ScriptVersionInsertParams{
				ScriptID: script.ID, Language: string(v.Language), Source: v.Source, SHA256: v.SHA256, Limits: limits,
				Code: v.Program.Code, SourceMap: nonNil(v.Program.SourceMap), ProgramSHA256: v.Program.SHA256,
			})
		}
		if err != nil {
			return fmt.Errorf("put script version: %w", err)
		}
		if activate || script.ActiveVersion == 0 {
			if script, err = q.ScriptActivate(ctx, stored.Version, appID, v.Script); err != nil {
				return fmt.Errorf("activate version: %w", err)
			}
		}
		return audit(ctx, q, "script", v.Script, before, map[string]any{"version": stored.Version, "sha256": stored.SHA256, "active_version": script.ActiveVersion})
	})
	if s.audited(ctx, err) != nil {
		return picloud.Script{}, picloud.ScriptVersion{}, false, err
	}
	version, err := toVersion(stored, v.Script)
	return toScript(script), version, created, err
}

// FindVersion implements picloud.Scripts.
func (s *Store) FindVersion(ctx context.Context, appID, script, sha256 string) (picloud.ScriptVersion, bool, error) {
	row, err := s.queries.ScriptVersionBySHA256(ctx, appID, script, sha256)
	if isMissing(err) {
		return picloud.ScriptVersion{}, false, nil
	}
	if err != nil {
		return picloud.ScriptVersion{}, false, fmt.Errorf("find script version: %w", err)
	}
	v, err := toVersion(row, script)
	return v, err == nil, err
}

// Script implements picloud.Scripts.
func (s *Store) Script(ctx context.Context, appID, name string) (picloud.Script, error) {
	row, err := s.queries.ScriptGet(ctx, appID, name)
	if isMissing(err) {
		return picloud.Script{}, picloud.NotFoundError("script", name)
	}
	if err != nil {
		return picloud.Script{}, fmt.Errorf("get script: %w", err)
	}
	return toScript(row), nil
}

// ListScripts implements picloud.Scripts.
func (s *Store) ListScripts(ctx context.Context, appID string, page picloud.Page) (picloud.List[picloud.Script], error) {
	rows, err := s.queries.ScriptList(ctx, appID, page.Cursor, size(page))
	if err != nil {
		return picloud.List[picloud.Script]{}, fmt.Errorf("list scripts: %w", err)
	}
	return cut(convert(rows, toScript), bounded(page), func(s picloud.Script) string { return s.Name }), nil
}

// Version implements picloud.Scripts.
func (s *Store) Version(ctx context.Context, appID, script string, version int) (picloud.ScriptVersion, error) {
	if version < 0 || version > math.MaxInt32 {
		return picloud.ScriptVersion{}, picloud.NotFoundError("version", strconv.Itoa(version))
	}
	row, err := s.queries.ScriptVersionGet(ctx, appID, script, int32(version))
	if isMissing(err) {
		if _, err := s.Script(ctx, appID, script); err != nil {
			return picloud.ScriptVersion{}, err
		}
		return picloud.ScriptVersion{}, picloud.NotFoundError("version", strconv.Itoa(version))
	}
	if err != nil {
		return picloud.ScriptVersion{}, fmt.Errorf("get script version: %w", err)
	}
	return toVersion(row, script)
}

// ListVersions implements picloud.Scripts.
func (s *Store) ListVersions(ctx context.Context, appID, script string, page picloud.Page) (picloud.List[picloud.ScriptVersion], error) {
	var none picloud.List[picloud.ScriptVersion]
	before := int64(math.MaxInt32)
	if page.Cursor != "" {
		n, err := strconv.ParseInt(page.Cursor, 10, 32)
		if err != nil {
			return none, picloud.InvalidField("cursor", "%q is no cursor: use the next_cursor of the page before", page.Cursor)
		}
		before = n
	}
	head, err := s.Script(ctx, appID, script)
	if err != nil {
		return none, err
	}
	rows, err := s.queries.ScriptVersionList(ctx, appID, script, int32(before), size(page))
	if err != nil {
		return none, fmt.Errorf("list script versions: %w", err)
	}
	items := make([]picloud.ScriptVersion, len(rows))
	for i, r := range rows {
		items[i], err = toVersion(sqlc.ScriptVersion{
			ScriptID: head.ID, Version: r.Version, Language: r.Language, SHA256: r.SHA256, ProgramSHA256: r.ProgramSHA256, Limits: r.Limits, CreatedAt: r.CreatedAt,
		}, script)
		if err != nil {
			return none, err
		}
	}
	return cut(items, bounded(page), func(v picloud.ScriptVersion) string { return strconv.Itoa(v.Version) }), nil
}

// Activate implements picloud.Scripts.
func (s *Store) Activate(ctx context.Context, appID, script string, version int) (picloud.Script, error) {
	if version < 1 || version > math.MaxInt32 {
		return picloud.Script{}, picloud.NotFoundError("version", strconv.Itoa(version))
	}
	before, err := s.Script(ctx, appID, script)
	if err != nil {
		return picloud.Script{}, err
	}
	var row sqlc.Script
	err = s.inTx(ctx, func(q *sqlc.Queries) (err error) {
		row, err = q.ScriptActivate(ctx, int32(version), appID, script)
		if isMissing(err) {
			return picloud.NotFoundError("version", strconv.Itoa(version))
		}
		if err != nil {
			return fmt.Errorf("activate version: %w", err)
		}
		return audit(ctx, q, "script", script, activeView(before.ActiveVersion), activeView(version))
	})
	return toScript(row), s.audited(ctx, err)
}

// activeView is which version is active, as the audit log shows it.
func activeView(version int) map[string]any { return map[string]any{"active_version": version} }

// DeleteScript implements picloud.Scripts.
func (s *Store) DeleteScript(ctx context.Context, appID, name string) error {
	before, err := s.Script(ctx, appID, name)
	if err != nil {
		return err
	}
	err = s.inTx(ctx, func(q *sqlc.Queries) error {
		n, err := q.ScriptDelete(ctx, appID, name)
		if violates(err, foreignKeyViolation, "") {
			return picloud.Errorf(picloud.Conflict, "script_in_use", "triggers still fire the script %q: delete them or give them another script first", name)
		}
		if err != nil {
			return fmt.Errorf("delete script: %w", err)
		}
		if n == 0 {
			return picloud.NotFoundError("script", name)
		}
		return audit(ctx, q, "script", name, activeView(before.ActiveVersion), nil)
	})
	return s.audited(ctx, err)
}

// Endpoint implements picloud.Endpoints.
func (s *Store) Endpoint(ctx context.Context, appSlug, script string) (picloud.Endpoint, error) {
	row, err := s.queries.EndpointGet(ctx, script, appSlug)
	if isMissing(err) {
		return picloud.Endpoint{}, picloud.NotFoundError("app", appSlug)
	}
	if err != nil {
		return picloud.Endpoint{}, fmt.Errorf("get endpoint: %w", err)
	}
	if row.ScriptID == nil {
		return picloud.Endpoint{}, picloud.NotFoundError("script", script)
	}
	limits, err := decode[picloud.Limits](row.Limits)
	if err != nil {
		return picloud.Endpoint{}, err
	}
	e := picloud.Endpoint{
		App:      picloud.App{ID: row.AppID, Slug: row.Slug, Name: row.AppName, CreatedAt: row.AppCreatedAt, FetchAllow: row.FetchAllow, PausedAt: row.PausedAt},
		ScriptID: *row.ScriptID, Script: script, Version: int(value(row.ActiveVersion)), Limits: limits,
	}
	if row.HasHTTPTriggers {
		rows, err := s.queries.TriggerList(ctx, sqlc.TriggerListParams{
			AppID: e.App.ID, Kind: string(picloud.KindHTTP), Script: script, EnabledOnly: true, Max: picloud.MaxPageLimit,
		})
		if err != nil {
			return picloud.Endpoint{}, fmt.Errorf("list http triggers: %w", err)
		}
		if e.Triggers, err = toTriggers(rows); err != nil {
			return picloud.Endpoint{}, err
		}
		if e.Secrets, err = s.webhookSecrets(e.App.ID, row.Secrets); err != nil {
			return picloud.Endpoint{}, err
		}
	}
	return e, nil
}

func toScript(r sqlc.Script) picloud.Script {
	return picloud.Script{ID: r.ID, AppID: r.AppID, Name: r.Name, ActiveVersion: int(r.ActiveVersion), CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt}
}

func toVersion(r sqlc.ScriptVersion, name string) (picloud.ScriptVersion, error) {
	limits, err := decode[picloud.Limits](r.Limits)
	return picloud.ScriptVersion{
		ScriptID: r.ScriptID, Script: name, Version: int(r.Version), Language: picloud.Language(r.Language), Source: r.Source, SHA256: r.SHA256,
		Program: picloud.Program{SHA256: r.ProgramSHA256, Code: r.Code, SourceMap: r.SourceMap},
		Limits:  limits, CreatedAt: r.CreatedAt,
	}, err
}

// nonNil gives the column of bytes that may be empty but not NULL.
func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
