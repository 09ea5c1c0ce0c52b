-- name: APIKeyInsert :one
INSERT INTO api_keys (principal_id, prefix, digest, app_id, scopes, expires_at)
VALUES (@principal_id, @prefix, @digest, sqlc.narg(app_id)::uuid, @scopes, sqlc.narg(expires_at)::timestamptz)
RETURNING id, created_at;

-- name: APIKeyGet :one
SELECT k.id, k.prefix, k.scopes, k.created_at, k.expires_at, k.last_used_at, p.name AS principal, a.slug AS app
FROM api_keys k JOIN principals p ON p.id = k.principal_id LEFT JOIN apps a ON a.id = k.app_id
WHERE k.id = @id;

-- name: APIKeyList :many
SELECT k.id, k.prefix, k.scopes, k.created_at, k.expires_at, k.last_used_at, p.name AS principal, a.slug AS app
FROM api_keys k JOIN principals p ON p.id = k.principal_id LEFT JOIN apps a ON a.id = k.app_id
WHERE (sqlc.narg(principal_id)::uuid IS NULL OR k.principal_id = sqlc.narg(principal_id)::uuid)
  AND (sqlc.narg(after)::uuid IS NULL OR k.id > sqlc.narg(after)::uuid)
ORDER BY k.id LIMIT @max;

-- name: APIKeyDelete :execrows
DELETE FROM api_keys WHERE id = @id;

-- name: APIKeyPutBootstrap :exec
-- A changed key is a new one: its id tells the two apart in the audit log.
WITH old AS (
    DELETE FROM api_keys WHERE prefix = 'bootstrap' AND digest <> @digest::bytea RETURNING id
)
INSERT INTO api_keys (principal_id, prefix, digest, scopes)
SELECT p.id, 'bootstrap', @digest::bytea, ARRAY['instance:admin'] FROM principals p, (SELECT count(*) FROM old) AS gone WHERE p.name = 'admin'
ON CONFLICT (prefix) DO UPDATE SET digest = EXCLUDED.digest;

-- name: APIKeyCredentials :many
-- The key with that prefix and the bootstrap key, each with its principal and the roles that it has, as parallel arrays.
SELECT k.id, k.prefix, k.digest, k.scopes, k.created_at, k.expires_at, k.last_used_at, ka.slug AS app,
       p.id AS principal_id, p.kind, p.name, p.instance_admin, p.disabled,
       COALESCE((SELECT array_agg(a.slug ORDER BY a.slug) FROM app_members m JOIN apps a ON a.id = m.app_id WHERE m.principal_id = p.id), '{}')::text[] AS apps,
       COALESCE((SELECT array_agg(m.role ORDER BY a.slug) FROM app_members m JOIN apps a ON a.id = m.app_id WHERE m.principal_id = p.id), '{}')::text[] AS roles
FROM api_keys k JOIN principals p ON p.id = k.principal_id LEFT JOIN apps ka ON ka.id = k.app_id
WHERE k.prefix IN (@prefix::text, 'bootstrap') AND p.deleted_at IS NULL;

-- name: APIKeyTouch :exec
UPDATE api_keys SET last_used_at = now() WHERE id = @id AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute');
