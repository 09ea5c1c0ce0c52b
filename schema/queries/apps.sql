-- name: AppInsert :one
INSERT INTO apps (slug, name) VALUES (@slug, @name) RETURNING *;

-- name: AppGet :one
SELECT * FROM apps WHERE slug = @slug;

-- name: AppList :many
SELECT * FROM apps WHERE slug > @after::text ORDER BY slug LIMIT @max;

-- name: AppDelete :execrows
DELETE FROM apps WHERE slug = @slug;
