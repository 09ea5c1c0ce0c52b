-- name: ScriptUpsert :one
-- Makes the script if it is new, and locks its row: versions of one script are numbered one after the other.
INSERT INTO scripts (app_id, name, active_version) VALUES (@app_id, @name, 0)
ON CONFLICT (app_id, name) DO UPDATE SET updated_at = now()
RETURNING *;

-- name: ScriptGet :one
SELECT * FROM scripts WHERE app_id = @app_id AND name = @name;

-- name: ScriptList :many
SELECT * FROM scripts WHERE app_id = @app_id AND name > @after::text ORDER BY name LIMIT @max;

-- name: ScriptActivate :one
UPDATE scripts s SET active_version = @version, updated_at = now()
WHERE s.app_id = @app_id AND s.name = @name
  AND EXISTS (SELECT FROM script_versions v WHERE v.script_id = s.id AND v.version = @version)
RETURNING *;

-- name: ScriptDelete :execrows
DELETE FROM scripts WHERE app_id = @app_id AND name = @name;

-- name: ScriptVersionInsert :one
INSERT INTO script_versions (script_id, version, language, source, sha256, code, source_map, program_sha256, limits)
SELECT @script_id, COALESCE(max(version), 0) + 1, @language, @source, @sha256, @code, @source_map, @program_sha256, @limits
FROM script_versions WHERE script_id = @script_id
RETURNING *;

-- name: ScriptVersionBySHA256 :one
SELECT v.* FROM script_versions v JOIN scripts s ON s.id = v.script_id
WHERE s.app_id = @app_id AND s.name = @name AND v.sha256 = @sha256;

-- name: ScriptVersionGet :one
SELECT v.* FROM script_versions v JOIN scripts s ON s.id = v.script_id
WHERE s.app_id = @app_id AND s.name = @name AND v.version = CASE WHEN @version::int = 0 THEN s.active_version ELSE @version::int END;

-- name: ScriptVersionList :many
SELECT v.version, v.language, v.sha256, v.program_sha256, v.limits, v.created_at
FROM script_versions v JOIN scripts s ON s.id = v.script_id
WHERE s.app_id = @app_id AND s.name = @name AND v.version < @before::int
ORDER BY v.version DESC LIMIT @max;

-- name: ScriptProgram :one
SELECT code, source_map, program_sha256, limits FROM script_versions WHERE script_id = @script_id AND version = @version;

-- name: EndpointGet :one
SELECT a.id AS app_id, a.slug, a.name AS app_name, a.created_at AS app_created_at, a.fetch_allow, a.paused_at,
       s.id AS script_id, s.active_version, v.limits,
       EXISTS (SELECT FROM triggers t WHERE t.script_id = s.id AND t.kind = 'http' AND t.enabled) AS has_http_triggers,
       (SELECT json_object_agg(x.name, encode(x.sealed, 'base64'))
        FROM triggers t JOIN http_trigger_details h ON h.trigger_id = t.id JOIN secrets x ON x.app_id = a.id AND x.name = h.secret
        WHERE t.script_id = s.id AND t.enabled) AS secrets
FROM apps a
LEFT JOIN scripts s ON s.app_id = a.id AND s.name = @script
LEFT JOIN script_versions v ON v.script_id = s.id AND v.version = s.active_version
WHERE a.slug = @app_slug;
