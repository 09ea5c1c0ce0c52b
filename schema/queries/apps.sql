-- name: AppInsert :one
INSERT INTO apps (slug, name) VALUES (@slug, @name) RETURNING *;

-- name: AppGet :one
SELECT * FROM apps WHERE slug = @slug;

-- name: AppLock :one
SELECT * FROM apps WHERE slug = @slug FOR UPDATE;

-- name: AppList :many
SELECT * FROM apps WHERE slug > @after::text AND (sqlc.narg(slugs)::text[] IS NULL OR slug = ANY (sqlc.narg(slugs)::text[])) ORDER BY slug LIMIT @max;

-- name: AppSetFetchAllow :one
UPDATE apps SET fetch_allow = @fetch_allow WHERE slug = @slug RETURNING *;

-- name: AppPause :one
-- A pause that is there keeps its beginning.
UPDATE apps SET paused_at = COALESCE(paused_at, now()), paused_by = COALESCE(paused_by, @paused_by) WHERE slug = @slug RETURNING *;

-- name: AppResume :one
UPDATE apps SET paused_at = NULL, paused_by = NULL WHERE slug = @slug RETURNING *;

-- name: AppDelete :execrows
DELETE FROM apps WHERE slug = @slug;
