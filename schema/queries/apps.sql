-- name: AppInsert :one
INSERT INTO apps (slug, name) VALUES (@slug, @name) RETURNING *;

-- name: AppGet :one
SELECT * FROM apps WHERE slug = @slug;

-- name: AppList :many
SELECT * FROM apps WHERE slug > @after::text ORDER BY slug LIMIT @max;

-- name: AppSetFetchAllow :one
UPDATE apps SET fetch_allow = @fetch_allow WHERE slug = @slug RETURNING *;

-- name: AppDelete :execrows
DELETE FROM apps WHERE slug = @slug;
